"""Makes noisy_bradley_terry.json: what crowd-kit's NoisyBradleyTerry makes of the planted raters of
tests/core/standings/test_reliability.py. Run where crowd-kit 1.4.2 is installed, with those votes
(worker, left, right, label) as CSV:

    python tests/reference/noisy_bradley_terry.py planted.csv > noisy_bradley_terry.json
"""

import json
import sys

import pandas as pd
from crowdkit.aggregation import NoisyBradleyTerry

votes = pd.read_csv(sys.argv[1])
model = NoisyBradleyTerry(n_iter=500, random_state=0)
scores = model.fit_predict(votes)
found = {
    "scores": {str(name): round(float(value), 6) for name, value in scores.items()},
    "skills": {str(name): round(float(value), 6) for name, value in model.skills_.items()},
    "crowd-kit": "1.4.2",
}
sys.stdout.write(json.dumps(found, indent=1) + "\n")
