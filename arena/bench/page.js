// Stands in for the event stream of a battle: everything that it tells is made here. Notes how long
// the page was busy, and how soon it answered keys.

sessionStorage.setItem('arena-battle', 'bench');
globalThis.told = { longest: 0, over: 0, keys: [] };
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    told.longest = Math.max(told.longest, duration);
    told.over += duration > 100;
  }
}).observe({ entryTypes: ['longtask'] });
addEventListener('keydown', (event) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => told.keys.push(performance.now() - event.timeStamp);
  channel.port2.postMessage(0);
}), true);
globalThis.EventSource = class extends EventTarget {
  static CLOSED = 2;
  close() {}
  constructor() {
    super();
    let number = 0;
    this.tell = (type, data) => this.dispatchEvent(
      new MessageEvent(type, { data: JSON.stringify(data), lastEventId: String(number += 1) }));
    globalThis.begin = ({ before, after, texts, rate }) => {
      this.tell('gate', { state: before });
      const [started, sent] = [performance.now(), {}];
      const tick = setInterval(() => {
        const level = Math.floor((performance.now() - started) / 1000 * rate);
        const pieces = [];
        for (const [seat, text] of Object.entries(texts)) {
          const piece = text.slice(sent[seat] ?? 0, level);
          sent[seat] = level;
          if (piece) pieces.push({ seat, turn: 0, text: piece });
        }
        if (pieces.length) this.tell('token', { pieces });
        else clearInterval(tick), this.tell('round', { state: after });
      }, 100);
    };
  }
};
