// Loaded into a page by pages-chromium.test.ts. Each check gives a list of what is wrong, in words.

/** What every reader of a page relies on, a screen reader above all. */
function structureProblems() {
  const problems = [];
  const say = (rule, element) => problems.push(`${rule}: ${element.outerHTML.slice(0, 120)}`);
  const count = (selector) => document.querySelectorAll(selector).length;
  for (const landmark of ['header', 'main', 'footer', 'h1']) {
    if (count(landmark) !== 1) problems.push(`${count(landmark)} elements ${landmark}`);
  }
  for (const element of document.querySelectorAll('a, button, summary')) {
    if (!nameOf(element)) say('nothing to call it by', element);
  }
  for (const element of document.querySelectorAll('nav, [tabindex="0"]')) {
    if (!element.ariaLabel && !labelledBy(element)) say('no label', element);
  }
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent) say('no caption', table);
    const columns = new Set(
      [...table.rows].map((row) => [...row.cells].reduce((n, cell) => n + cell.colSpan, 0)),
    );
    if (columns.size !== 1) say(`rows of ${[...columns]} columns`, table);
  }
  for (const heading of document.querySelectorAll('th')) {
    if (!heading.scope) say('no scope', heading);
    if (heading.querySelector('.sort') && !heading.ariaSort) say('no aria-sort', heading);
  }
  for (const drawing of document.querySelectorAll('svg[role=img]')) {
    if (!labelledBy(drawing)) say('no title', drawing);
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    const next = Number(heading.localName[1]);
    if (next > level + 1) say('a level of headings is left out', heading);
    level = next;
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`id twice: ${id}`);
  return problems;
}

function nameOf(element) {
  return (element.ariaLabel ?? '').trim() || element.textContent.trim();
}

function labelledBy(element) {
  const ids = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
  return ids.length > 0 && ids.every((id) => document.getElementById(id)?.textContent.trim());
}

/** Texts that stand out too little from what is behind them: 4.5 (WCAG 2.2, 1.4.3). */
function contrastProblems() {
  const problems = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility() || element.closest('svg, script, noscript')) continue;
    const ratio = contrast(colorOf(getComputedStyle(element).color), groundOf(element));
    if (ratio < 4.5)
      problems.add(`${ratio.toFixed(2)}: ${element.className} "${text.data.trim().slice(0, 40)}"`);
  }
  return [...problems];
}

function groundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const color = colorOf(getComputedStyle(at).backgroundColor);
    if (color[3] > 0) return color;
  }
  return [255, 255, 255, 255];
}

/** Any color of CSS as four bytes, by painting it. */
function colorOf(text) {
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance([red, green, blue]) {
  const linear = (byte) =>
    byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

Object.assign(globalThis, { structureProblems, contrastProblems });
