"""Arrays of numbers, of whole numbers and of truths, for types. It does not know what they are of."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
