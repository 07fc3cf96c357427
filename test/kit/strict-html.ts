/**
 * A reader of HTML that is stricter than any browser: every element is closed in its turn, every attribute quoted and given
 * once, every `&` begins a character reference. What gets through was escaped where it had to be.
 */

export interface HtmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (HtmlElement | string)[];
}

const VOID_ELEMENTS: ReadonlySet<string> = new Set(['meta', 'link', 'br', 'img', 'input', 'hr']);
const TAG = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*="[^"<]*")*)\s*(\/?)>/y;
const CHARACTER_REFERENCE = /&(?:(lt|gt|amp|quot)|#(\d+));/g;

/** @throws Error that quotes where the text is not well-formed */
export function parseHtml(text: string): HtmlElement {
  const doctype = '<!doctype html>';
  if (!text.startsWith(doctype)) throw new Error('the document does not begin with its doctype');
  const root = openElement('#document', new Map());
  const open = [root];
  for (let at = doctype.length; at < text.length; ) {
    const parent = open.at(-1) as OpenElement;
    if (parent.name === 'style' || parent.name === 'script') {
      const end = text.indexOf(`</${parent.name}>`, at);
      parent.children.push(text.slice(at, end));
      open.pop();
      at = end + `</${parent.name}>`.length;
    } else if (text[at] === '<') {
      TAG.lastIndex = at;
      const match = TAG.exec(text);
      if (!match) throw new Error(`not a tag: ${text.slice(at, at + 80)}`);
      at = TAG.lastIndex;
      takeTag(open, match, text.slice(match.index, match.index + 80));
    } else {
      const end = text.indexOf('<', at) < 0 ? text.length : text.indexOf('<', at);
      parent.children.push(decoded(text.slice(at, end)));
      at = end;
    }
  }
  if (open.length !== 1) throw new Error(`never closed: ${open.at(-1)?.name}`);
  return root;
}

interface OpenElement extends HtmlElement {
  readonly children: (HtmlElement | string)[];
}

function openElement(name: string, attributes: ReadonlyMap<string, string>): OpenElement {
  return { name, attributes, children: [] };
}

function takeTag(open: OpenElement[], match: RegExpExecArray, excerpt: string): void {
  const [, slash, name = '', attributes = '', isEmpty] = match;
  if (slash) {
    if (open.at(-1)?.name !== name) throw new Error(`${open.at(-1)?.name} is closed by: ${excerpt}`);
    open.pop();
    return;
  }
  const byName = new Map<string, string>();
  for (const [, key = '', value = ''] of attributes.matchAll(/([a-zA-Z][a-zA-Z0-9:-]*)="([^"]*)"/g)) {
    if (byName.has(key)) throw new Error(`${key} twice: ${excerpt}`);
    byName.set(key, decoded(value));
  }
  const element = openElement(name, byName);
  (open.at(-1) as OpenElement).children.push(element);
  if (VOID_ELEMENTS.has(name)) return;
  if (isEmpty) throw new Error(`HTML does not know empty elements like: ${excerpt}`);
  open.push(element);
}

function decoded(text: string): string {
  if (/[<>]/.test(text)) throw new Error(`not escaped: ${text.slice(0, 80)}`);
  const rest = text.replace(CHARACTER_REFERENCE, '');
  if (rest.includes('&')) throw new Error(`not escaped: ${text.slice(0, 80)}`);
  const names: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };
  return text.replace(CHARACTER_REFERENCE, (_, name, code) =>
    code ? String.fromCodePoint(Number(code)) : (names[name] ?? ''),
  );
}

/** The element's descendants of that name, in the order of the document. */
export function all(element: HtmlElement, name: string): HtmlElement[] {
  return element.children.flatMap((child) =>
    typeof child === 'string' ? [] : [...(child.name === name ? [child] : []), ...all(child, name)],
  );
}

/** @throws Error unless there is exactly one */
export function one(element: HtmlElement, name: string): HtmlElement {
  const [found, ...more] = all(element, name);
  if (!found || more.length > 0) throw new Error(`${1 + more.length - Number(!found)} elements ${name}`);
  return found;
}

/** As a reader sees it, white space as it is. */
export function textOf(element: HtmlElement): string {
  return element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
}

/** Cells of the body rows of the table whose caption begins so. */
export function rowsOf(document: HtmlElement, caption: string): string[][] {
  const table = all(document, 'table').find((candidate) =>
    textOf(all(candidate, 'caption')[0] as HtmlElement).startsWith(caption),
  );
  if (!table) throw new Error(`no table "${caption}"`);
  return all(table, 'tbody').flatMap((body) =>
    all(body, 'tr').map((row) =>
      row.children.map((cell) => (typeof cell === 'string' ? cell : textOf(cell))),
    ),
  );
}
