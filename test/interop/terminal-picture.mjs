/**
 * Runs `npm run lab` in a pseudo-terminal and draws what one sees there: DIRECTORY/lab.png is its end, lab.svg is all
 * of it, SPEED times as fast. Needs Chromium, pngquant and util-linux:
 *
 *     node test/interop/terminal-picture.mjs docs
 */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [directory] = process.argv.slice(2);
if (!directory) throw new Error('usage: terminal-picture.mjs DIRECTORY');

const COLUMNS = 140;
/** Room for all that a run says, so that nothing scrolls away. */
const ROWS = 52;
const COMMAND = 'npm run lab';
/** The last that the lab says before it waits for Ctrl-C. */
const LAST_WORDS = 'Ctrl-C ends the lab';
const CTRL_C = '\x03';
const SPEED = 4;
/** Of the recording: what changes within one is shown together. */
const FRAME_MS = 800;
/** Nothing happens for longer in the animation, but at its end. */
const IDLE_MS_MAX = 4000;
const END_MS = 8000;

const FONT_PX = 14;
const CELL = { width: 8.43, height: 19 };
const MARGIN = 14;
const COLOURS = {
  page: '#0d1117',
  text: '#d7dde4',
  dim: '#8b949e',
  31: '#ff7b72',
  32: '#56d364',
  33: '#e3b341',
};

/** A screen that scrolls, and the few commands that the lab and npm use. */
class Terminal {
  lines = [[]];
  #row = 0;
  #column = 0;
  #style = {};

  write(text) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
    for (const [, parameters, command, character] of text.matchAll(/\x1b\[([?\d;]*)([A-Za-z])|(.)/gsu)) {
      if (command === undefined) this.#put(character);
      else if (!parameters.startsWith('?')) this.#obey(command, Number(parameters));
    }
  }

  #obey(command, number) {
    if (command === 'A') this.#row = Math.max(0, this.#row - Math.max(1, number));
    else if (command === 'G') this.#column = Math.max(1, number) - 1;
    else if (command === 'K')
      this.#line().length = number === 2 ? 0 : Math.min(this.#line().length, this.#column);
    else if (command === 'm') this.#paint(number);
    else throw new Error(`no such command here: ${command}`);
  }

  #paint(number) {
    if (number === 0) this.#style = {};
    else if (number === 1) this.#style = { ...this.#style, isBold: true };
    else if (number === 2) this.#style = { ...this.#style, colour: COLOURS.dim };
    else if (number === 22) this.#style = { ...this.#style, isBold: false, colour: undefined };
    else this.#style = { ...this.#style, colour: COLOURS[number] };
  }

  #put(character) {
    if (this.#column === COLUMNS && !/[\r\n]/.test(character)) this.#wrap();
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#row++;
    else this.#line()[this.#column++] = { character, ...this.#style };
    this.#line();
  }

  #wrap() {
    this.#row++;
    this.#column = 0;
  }

  #line() {
    while (this.lines.length <= this.#row) this.lines.push([]);
    return this.lines[this.#row];
  }
}

/** Resolves with the screens of a run: `{ atMs, lines }`, the lines as SVG. */
async function record() {
  const command = `stty cols ${COLUMNS} rows ${ROWS}; ${COMMAND}`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm-256color' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const startedMs = performance.now();
  const terminal = new Terminal();
  terminal.write(`$ ${COMMAND}\r\n`);
  const frames = [];
  const show = () => {
    const lines = terminal.lines.map(drawLine);
    while (lines.at(-1) === '') lines.pop();
    frames.push({ atMs: performance.now() - startedMs, lines });
  };
  show();
  const timer = setInterval(show, FRAME_MS);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    if (said.includes(LAST_WORDS)) return;
    said += text;
    terminal.write(text);
    if (!said.includes(LAST_WORDS)) return;
    clearInterval(timer);
    show();
    child.stdin.write(CTRL_C);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  if (!said.includes(LAST_WORDS)) throw new Error(`${COMMAND} ended early (${code}):\n${said}`);
  return frames.filter(({ lines }, i) => i === 0 || lines.join() !== frames[i - 1].lines.join());
}

/** Words of one style stand together, and begin where the terminal has them, whatever the viewer's font is. */
function drawLine(cells) {
  const runs = [];
  for (let column = 0; column < cells.length; column++) {
    const { character = ' ', colour, isBold } = cells[column] ?? {};
    const run = runs.at(-1);
    const isNext = run && run.column + run.text.length === column && !run.text.endsWith('  ');
    if (isNext && run.colour === colour && run.isBold === isBold) run.text += character;
    else if (character !== ' ') runs.push({ column, text: character, colour, isBold });
  }
  return runs
    .map(({ column, text, colour, isBold }) => {
      const fill = colour ? ` fill="${colour}"` : '';
      const weight = isBold ? ' font-weight="bold"' : '';
      const x = (MARGIN + column * CELL.width).toFixed(1);
      return `<text x="${x}"${fill}${weight}>${escaped(text.trimEnd())}</text>`;
    })
    .join('');
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Screens one below the other, moved past a window. `motion`: CSS. */
function svgOf(screens, motion) {
  const rows = Math.max(...screens.map((lines) => lines.length));
  const width = Math.ceil(2 * MARGIN + COLUMNS * CELL.width);
  const height = Math.ceil(2 * MARGIN + rows * CELL.height);
  const ids = new Map();
  for (const line of screens.flat()) if (line !== '' && !ids.has(line)) ids.set(line, `l${ids.size}`);
  const place = (screen, row) => screen * height + MARGIN + (row + 0.75) * CELL.height;
  const uses = screens.flatMap((lines, screen) =>
    lines.map((line, row) =>
      line === '' ? '' : `<use href="#${ids.get(line)}" y="${place(screen, row)}"/>`,
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>${COMMAND}</title>
<style>
text { font: ${FONT_PX}px 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre }
[font-weight] { font-weight: bold }
${motion(height)}
</style>
<rect width="100%" height="100%" rx="8" fill="${COLOURS.page}"/>
<defs>${[...ids].map(([line, id]) => `<g id="${id}">${line}</g>`).join('\n')}</defs>
<g id="screens" fill="${COLOURS.text}">${uses.join('')}</g>
</svg>
`;
}

/** Each screen stays until the next; then it all begins again. Who wants no motion has the last. */
function motionOf(frames, height) {
  let atMs = 0;
  const starts = frames.map((frame, i) => {
    if (i > 0) atMs += Math.min(IDLE_MS_MAX, frame.atMs - frames[i - 1].atMs) / SPEED;
    return atMs;
  });
  const wholeMs = atMs + END_MS;
  const stops = starts.map(
    (startMs, i) => `${((100 * startMs) / wholeMs).toFixed(3)}% { transform: translateY(${-i * height}px) }`,
  );
  const last = -(frames.length - 1) * height;
  return `@keyframes run { ${stops.join(' ')} 100% { transform: translateY(${last}px) } }
#screens { animation: run ${(wholeMs / 1000).toFixed(1)}s step-end infinite }
@media (prefers-reduced-motion) { #screens { animation: none; transform: translateY(${last}px) } }`;
}

async function takePicture(svg, file) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const page = await browser.newPage({ deviceScaleFactor: 1.5, viewport: { width: 1280, height: 1200 } });
  await page.setContent(`<body style="margin: 0">${svg}</body>`);
  await page.locator('svg').screenshot({ path: file, omitBackground: true });
  await browser.close();
  execFileSync('pngquant', ['--force', '--ext', '.png', '32', file]);
}

const frames = await record();
const screens = frames.map(({ lines }) => lines);
writeFileSync(
  join(directory, 'lab.svg'),
  svgOf(screens, (height) => motionOf(frames, height)),
);
await takePicture(
  svgOf(screens.slice(-1), () => ''),
  join(directory, 'lab.png'),
);
