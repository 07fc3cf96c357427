/**
 * The one script of all pages: asks the page's own URL for events and works what comes into the page. Without it, or
 * with updates paused, a page shows what it showed when it was loaded.
 *
 * An element with an id is known again by it, wherever it has moved to; others by their place. So focus, selection, what was
 * scrolled and which details are open stay with what they belonged to. A window that nobody looks at closes its
 * connection: a browser has six to a server, and the server few for all.
 */
export const LIVE_SCRIPT: string = `
(() => {
  const RETRY_MS = 15000;
  const main = document.querySelector('main');
  const bar = document.querySelector('.live');
  const state = bar.querySelector('[role=status]');
  const button = bar.querySelector('button');
  let events, retry, isPaused = false;

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  const stop = () => { clearTimeout(retry); events?.close(); events = undefined; };
  const start = () => {
    stop();
    if (isPaused || document.hidden) return;
    events = new EventSource(location.pathname + location.search);
    events.onopen = () => say('Live updates are on.');
    events.onmessage = (event) => update(JSON.parse(event.data));
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return say('Connection lost. Trying again.');
      stop();
      say('No live updates at the moment. Trying again.');
      retry = setTimeout(start, RETRY_MS);
    };
  };

  const update = (html) => {
    const focused = document.activeElement;
    patchChildren(main, new DOMParser().parseFromString(html, 'text/html').body);
    if (focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  };
  const patchChildren = (from, to) => {
    const kept = new Map([...from.children].filter(({ id }) => id).map((child) => [child.id, child]));
    const wanted = new Set([...to.children].map(({ id }) => id));
    for (const [id, child] of kept) if (!wanted.has(id)) child.remove();
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      const old = next.id ? kept.get(next.id) : at && !at.id && at.nodeName === next.nodeName ? at : undefined;
      if (old === undefined) {
        from.insertBefore(next, at);
        continue;
      }
      if (old === at) at = at.nextSibling;
      else from.insertBefore(old, at);
      patch(old, next);
    }
    while (at) {
      const rest = at.nextSibling;
      at.remove();
      at = rest;
    }
  };
  const patch = (old, next) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    patchChildren(old, next);
  };

  button.onclick = () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? 'Resume updates' : 'Pause updates';
    if (isPaused) { stop(); say('Live updates are paused.'); } else start();
  };
  document.addEventListener('visibilitychange', () => document.hidden ? stop() : start());
  window.addEventListener('pagehide', stop);
  window.addEventListener('pageshow', (event) => { if (event.persisted) start(); });
  bar.hidden = false;
  start();
})();
`;
