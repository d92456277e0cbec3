// Images for the prompt: read in the browser, made smaller and drawn anew there, so that no file
// leaves it as it was. It does not know what becomes of them.

const LONGEST_PX = 1024;
const MOST_IMAGES = 3;

let reading = 0; // choices whose files are still being read

// The chosen files, each as base64 of a JPEG; what is no image is left out.
async function readImages(files) {
  const read = await Promise.all(files.map((file) => smaller(file).catch(() => null)));
  return read.filter(Boolean);
}

async function smaller(file) {
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST_PX / Math.max(image.width, image.height));
  const canvas = make("canvas", {});
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas.toDataURL("image/jpeg", 0.85).split(",")[1];
}

// What will be sent, to be looked at and taken back. Told of each change, of whether all that was
// chosen is in it, and, by nothing, that more is being read.
function listenToImages(el, told) {
  let all = [];
  const paint = (images, whole) => {
    all = images;
    told(images, whole);
    el.imagesChosen.hidden = !images.length;
    el.imagesChosen.replaceChildren(...images.map((data, index) => {
      const name = tell("arena.image", { number: index + 1 });
      const remove = make("button", { type: "button", class: "plain-button", "aria-label": `${tell("arena.mine_remove")}: ${name}` }, "×");
      remove.addEventListener("click", () => { paint(images.filter((_, other) => other !== index)); el.images.focus(); });
      return make("span", {}, make("img", { src: `data:image/jpeg;base64,${data}`, alt: name }), remove);
    }));
  };
  el.images.addEventListener("change", async () => {
    const files = [...el.images.files];
    reading += 1;
    told();
    const taken = files.slice(0, MOST_IMAGES - all.length);
    const read = await readImages(taken);
    reading -= 1;
    el.images.value = "";
    const images = [...all, ...read].slice(0, MOST_IMAGES);
    const whole = images.length === all.length + files.length;
    const why = read.length < taken.length ? "arena.images_unread" : "arena.images_most";
    if (!whole) say(el, tell(why, { most: MOST_IMAGES }), "error");
    paint(images, whole);
  });
  return paint;
}
