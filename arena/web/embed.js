// <gradio-app src="https://arena.example.org"> on a page of anybody: the arena in a frame, in which
// its addresses, styles and keys stay its own. The page itself has Gradio's element of that name.

class Embedded extends HTMLElement {
  connectedCallback() {
    if (this.firstElementChild) return;
    const frame = document.createElement("iframe");
    frame.src = this.getAttribute("src");
    frame.title = this.getAttribute("title") ?? new URL(frame.src).host;
    frame.allow = "clipboard-write";
    frame.style.cssText = "display: block; width: 100%; height: 100%; border: 0";
    this.style.display = "block";
    this.style.height ||= "900px";
    this.append(frame);
  }
}

customElements.get("gradio-app") ?? customElements.define("gradio-app", Embedded);
