/**
 * An SDP (RFC 8866) as its lines, edited in place: what nobody touched comes out byte for byte and in
 * order, unknown lines, odd spacing and line ends included. Text is one character a byte (Latin-1) or
 * Unicode; it is not looked into beyond what an accessor asks for.
 *
 * Reading is strict where a mistake would send media astray (v=, o=, c=, m=) and lenient elsewhere.
 * Values put in must not hold CR, LF or NUL: that is a RangeError, since one line would become two.
 */
import {
  type ConnectionData,
  editMedia,
  editOrigin,
  formatConnection,
  type MediaFields,
  type Origin,
  parseConnection,
  parseMedia,
  parseOrigin,
  parseRtcpPort,
  type RtcpPort,
} from './sdp-fields.ts';

export const SDP_CHARACTERS_MAX = 65_535;
export const SDP_LINES_MAX = 4096;
export const SDP_MEDIA_MAX = 32;

export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

const DIRECTIONS: readonly MediaDirection[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

/** What stands before c= in the session part and in a media description (RFC 8866 §5). */
const BEFORE_CONNECTION = 'vosiuepm';

interface SdpLine {
  text: string;
  /** CR LF or LF; empty for a last line that has none. */
  end: string;
}

/** The session part or one media description. */
export class SdpSection {
  #lines: SdpLine[];
  /** Of lines put in. */
  readonly #lineEnd: string;

  constructor(lines: SdpLine[], lineEnd: string) {
    this.#lines = lines;
    this.#lineEnd = lineEnd;
  }

  /** What follows `x=` on the first line of type `x`. */
  value(type: string): string | undefined {
    return this.#lines.find(({ text }) => isOfType(text, type))?.text.slice(2);
  }

  /** Replaces what follows `x=` on the first line of type `x`; a RangeError if there is none. */
  setValue(type: string, value: string): void {
    const line = this.#lines.find(({ text }) => isOfType(text, type));
    if (!line) throw new RangeError(`no ${type}= line to replace`);
    line.text = checked(`${type}=${value}`);
  }

  /** The values of a=name:VALUE in order, '' for a bare a=name. Names are case-sensitive (RFC 8866 §6). */
  attributes(name: string): string[] {
    const values: string[] = [];
    for (const { text } of this.#lines) if (isAttribute(text, name)) values.push(text.slice(name.length + 3));
    return values;
  }

  /** The value of the first a=name; '' if it has none; undefined if there is none. */
  attribute(name: string): string | undefined {
    return this.#lines.find(({ text }) => isAttribute(text, name))?.text.slice(name.length + 3);
  }

  hasAttribute(name: string): boolean {
    return this.attribute(name) !== undefined;
  }

  removeAttributes(...names: string[]): void {
    this.#replace((text) => names.some((name) => isAttribute(text, name)), []);
  }

  /**
   * Puts a=name lines where the first of that name stood, else at the end of the section, and removes all
   * that were there. '' makes a bare a=name.
   */
  replaceAttributes(name: string, values: readonly string[]): void {
    this.#replace(
      (text) => isAttribute(text, name),
      values.map((value) => attributeLine(name, value)),
    );
  }

  /** At the end of the section; '' makes a bare a=name. */
  appendAttribute(name: string, value = ''): void {
    this.#replace(() => false, [attributeLine(name, value)]);
  }

  /** The section's own c=; undefined if there is none, or it is multicast. */
  ownConnection(): ConnectionData | undefined {
    const value = this.value('c');
    const connection = value === undefined ? undefined : parseConnection(value);
    return connection === 'multicast' ? undefined : connection;
  }

  /** Replaces the section's c= lines by one; where there is none, puts it in its place. */
  setConnection(connection: ConnectionData): void {
    const text = `c=${formatConnection(connection)}`;
    const isConnection = (old: string): boolean => isOfType(old, 'c');
    const after = this.#lines.findIndex((line) => !BEFORE_CONNECTION.includes(line.text.charAt(0)));
    this.#replace(isConnection, [text], after < 0 ? this.#lines.length : after);
  }

  /** The section's own direction attribute; the first, should there be several. */
  ownDirection(): MediaDirection | undefined {
    for (const { text } of this.#lines) {
      const direction = DIRECTIONS.find((name) => isAttribute(text, name));
      if (direction) return direction;
    }
    return undefined;
  }

  /** Writes one direction attribute where the first stood, else at the end. */
  setDirection(direction: MediaDirection): void {
    this.#replace((text) => DIRECTIONS.some((name) => isAttribute(text, name)), [`a=${direction}`]);
  }

  toString(): string {
    return this.#lines.map(({ text, end }) => text + end).join('');
  }

  /** Puts lines in for all old ones, where the first of those stood, else at `otherwise`. */
  #replace(isOld: (text: string) => boolean, texts: readonly string[], otherwise = this.#lines.length): void {
    const isEndless = this.#lines.at(-1)?.end === '';
    const first = this.#lines.findIndex(({ text }) => isOld(text));
    const lines = this.#lines.filter(({ text }) => !isOld(text));
    const put = texts.map((text) => ({ text: checked(text), end: this.#lineEnd }));
    lines.splice(first < 0 ? otherwise : first, 0, ...put);
    const last = lines.at(-1);
    for (const line of lines) if (line.end === '' && line !== last) line.end = this.#lineEnd;
    if (isEndless && last && put.includes(last)) last.end = '';
    this.#lines = lines;
  }
}

/** A media description: an m= line and what belongs to it. */
export class SdpMedia extends SdpSection {
  readonly #session: SdpSection;
  #fields: MediaFields;

  constructor(lines: SdpLine[], lineEnd: string, session: SdpSection, fields: MediaFields) {
    super(lines, lineEnd);
    this.#session = session;
    this.#fields = fields;
  }

  get media(): string {
    return this.#fields.media;
  }

  /** 0–65535; 0 refuses the line. */
  get port(): number {
    return this.#fields.port;
  }

  /** Also takes a count (`port/count`) away: it would promise ports that nobody opened. */
  set port(port: number) {
    this.#edit({ port });
  }

  /** 1 unless the line says `port/count`. */
  get portCount(): number {
    return this.#fields.portCount;
  }

  /** `RTP/AVP`, `UDP/TLS/RTP/SAVPF`, `UDP/BFCP`, … */
  get protocol(): string {
    return this.#fields.protocol;
  }

  set protocol(protocol: string) {
    this.#edit({ protocol });
  }

  /** Payload types of RTP, `*` of BFCP, …; empty only where the port is 0. */
  get formats(): readonly string[] {
    return this.#fields.formats;
  }

  set formats(formats: readonly string[]) {
    this.#edit({ formats });
  }

  /** Its own c=, else the session's; undefined if neither is there, or it is multicast. */
  connection(): ConnectionData | undefined {
    return this.value('c') === undefined ? this.#session.ownConnection() : this.ownConnection();
  }

  /** a=rtcp (RFC 3605); undefined if there is none, or it is malformed. */
  rtcp(): RtcpPort | undefined {
    const value = this.attribute('rtcp');
    return value === undefined ? undefined : parseRtcpPort(value);
  }

  /** Its own, else the session's, else sendrecv (RFC 8866 §6.7). */
  direction(): MediaDirection {
    return this.ownDirection() ?? this.#session.ownDirection() ?? 'sendrecv';
  }

  /** The value of its own a=name, else of the session's: for ice-ufrag, fingerprint, setup, … */
  inherited(name: string): string | undefined {
    return this.attribute(name) ?? this.#session.attribute(name);
  }

  /** As in {@link SdpSection}; the m= line is written by the setters alone. */
  override setValue(type: string, value: string): void {
    if (type === 'm') throw new RangeError('an m= line is changed by its fields');
    super.setValue(type, value);
  }

  #edit(changes: Partial<Pick<MediaFields, 'port' | 'protocol' | 'formats'>>): void {
    const value = editMedia(this.value('m') ?? '', changes);
    const fields = parseMedia(value);
    if (!fields) throw new RangeError(`not an m= line: ${JSON.stringify(value)}`);
    super.setValue('m', value);
    this.#fields = fields;
  }
}

export class SdpDocument {
  readonly session: SdpSection;
  readonly media: readonly SdpMedia[];
  /** Empty lines at the end, as they came. */
  readonly #trailer: string;

  private constructor(session: SdpSection, media: readonly SdpMedia[], trailer: string) {
    this.session = session;
    this.media = media;
    this.#trailer = trailer;
  }

  /** Undefined if the text is not SDP, or larger than the limits of this file. */
  static parse(text: string): SdpDocument | undefined {
    if (text.length > SDP_CHARACTERS_MAX) return undefined;
    const lines = splitLines(text);
    if (!lines) return undefined;
    const contentEnd = lines.findLastIndex((line) => line.text !== '') + 1;
    const content = lines.slice(0, contentEnd);
    const lineEnd = content[0]?.end || '\r\n';
    const starts = content.flatMap((line, i) => (isOfType(line.text, 'm') ? [i] : []));
    if (starts.length > SDP_MEDIA_MAX || !content.every((line) => isLine(line.text))) return undefined;
    const sessionLines = content.slice(0, starts[0]);
    if (!isSessionPart(sessionLines)) return undefined;
    const session = new SdpSection(sessionLines, lineEnd);
    const media: SdpMedia[] = [];
    for (const [i, start] of starts.entries()) {
      const own = content.slice(start, starts[i + 1]);
      const fields = parseMedia(own[0]?.text.slice(2) ?? '');
      if (!fields) return undefined;
      media.push(new SdpMedia(own, lineEnd, session, fields));
    }
    const trailer = lines.slice(contentEnd).map(({ end }) => end);
    return new SdpDocument(session, media, trailer.join(''));
  }

  toString(): string {
    return `${this.session}${this.media.join('')}${this.#trailer}`;
  }

  get origin(): Origin {
    const origin = parseOrigin(this.session.value('o') ?? '');
    if (!origin) throw new RangeError('the o= line was replaced by what is none');
    return origin;
  }

  /** Changes the fields given and leaves the others. */
  setOrigin(changes: Partial<Origin>): void {
    this.session.setValue('o', editOrigin(this.session.value('o') ?? '', changes));
  }
}

/**
 * Undefined if there are too many lines, or one holds NUL or a CR that ends no line: readers disagree on
 * whether a bare CR does, so it could hide a line from one of them.
 */
function splitLines(text: string): SdpLine[] | undefined {
  const lines: SdpLine[] = [];
  for (let start = 0; start < text.length; ) {
    if (lines.length === SDP_LINES_MAX) return undefined;
    const feed = text.indexOf('\n', start);
    const next = feed < 0 ? text.length : feed + 1;
    let stop = feed < 0 ? next : feed;
    if (feed > start && text.charAt(feed - 1) === '\r') stop--;
    const line = { text: text.slice(start, stop), end: text.slice(stop, next) };
    if (isBroken(line.text)) return undefined;
    lines.push(line);
    start = next;
  }
  return lines;
}

/** v=0 first, then o= (RFC 8866 §5.1, §5.2). */
function isSessionPart(lines: readonly SdpLine[]): boolean {
  const [version, origin] = lines;
  if (!/^v=0 *$/.test(version?.text ?? '')) return false;
  return origin?.text.startsWith('o=') === true && parseOrigin(origin.text.slice(2)) !== undefined;
}

function isLine(text: string): boolean {
  if (!/^[A-Za-z]=/.test(text)) return false;
  return !isOfType(text, 'c') || parseConnection(text.slice(2)) !== undefined;
}

function isOfType(text: string, type: string): boolean {
  return text.charAt(1) === '=' && text.charAt(0) === type;
}

function isAttribute(text: string, name: string): boolean {
  if (!text.startsWith('a=') || !text.startsWith(name, 2)) return false;
  return text.length === name.length + 2 || text.charAt(name.length + 2) === ':';
}

function attributeLine(name: string, value: string): string {
  return value === '' ? `a=${name}` : `a=${name}:${value}`;
}

function isBroken(text: string): boolean {
  return text.includes('\r') || text.includes('\n') || text.includes('\0');
}

function checked(text: string): string {
  if (isBroken(text)) throw new RangeError(`an SDP line must not hold CR, LF or NUL: ${text.slice(0, 2)}…`);
  return text;
}
