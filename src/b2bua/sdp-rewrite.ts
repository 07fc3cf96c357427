/** Writes what we are to one side into the SDP of the other: addresses, ports, keys, ICE. All else stays as it came. */
import type { IceCredentials } from '../ice/lite-agent.ts';
import type { SdpDocument, SdpMedia, SdpSection } from '../wire/sdp.ts';
import type { ConnectionData } from '../wire/sdp-fields.ts';
import type { ReplaceFlag } from './ng-request.ts';

const ICE_ATTRIBUTES = [
  'candidate',
  'end-of-candidates',
  'remote-candidates',
  'ice-ufrag',
  'ice-pwd',
  'ice-options',
  'ice-lite',
  'ice-mismatch',
  'ice-pacing',
];
/** Other ways to agree on keys: MIKEY (RFC 4567), and SDP capability negotiation (RFC 5939), which may offer a=crypto. */
const KEY_ATTRIBUTES = ['key-mgmt', 'csup', 'creq', 'acap', 'tcap', 'pcfg', 'acfg'];
const DTLS_ATTRIBUTES = ['fingerprint', 'setup', 'tls-id', 'dtls-id', 'connection'];

/** What becomes of a line. */
export type WrittenLine = DisabledLine | KeptLine;

export interface DisabledLine {
  readonly kind: 'disabled';
  /** Undefined: as it came. */
  readonly form: DisabledForm | undefined;
}

export interface KeptLine {
  readonly kind: 'kept';
  readonly port: number;
  readonly rtcpPort: number;
  readonly isNullAddress: boolean;
  /** Its addresses and ports stay as they came. */
  readonly isDirect: boolean;
  /** Undefined: keys, transport and ICE are not ours to touch. */
  readonly terminated: TerminatedLine | undefined;
  /** Candidates of ours to add to the line's own. */
  readonly lent: readonly string[];
  /** In place of a=remote-candidates, which may name ours; undefined: as they came. */
  readonly remoteCandidates: readonly string[] | undefined;
}

/** What else a disabled line says. */
export interface DisabledForm {
  readonly protocol: string;
  /** Undefined, or none: as they came. */
  readonly formats: readonly string[] | undefined;
}

export interface TerminatedLine {
  readonly protocol: string;
  /** RTP; else the line's own DTLS passes. */
  readonly isRtp: boolean;
  /** Values of a=crypto. */
  readonly cryptos: readonly string[];
  readonly hasRtcpMux: boolean;
  readonly ice: { readonly local: IceCredentials; readonly candidates: readonly string[] } | undefined;
}

/** @param connection our address towards the receiver of the SDP */
export function rewriteSdp(
  document: SdpDocument,
  connection: ConnectionData,
  lines: readonly WrittenLine[],
  replace: ReadonlySet<ReplaceFlag>,
): void {
  const { session, media } = document;
  const terminated = lines.flatMap((line) =>
    line.kind === 'kept' && line.terminated !== undefined ? [line.terminated] : [],
  );
  const isTerminated = lines.every((line) => line.kind === 'disabled' || line.terminated !== undefined);
  if (isTerminated) {
    unbundle(session);
    session.removeAttributes('crypto', ...KEY_ATTRIBUTES, ...ICE_ATTRIBUTES);
    if (terminated.every(({ isRtp }) => isRtp)) session.removeAttributes(...DTLS_ATTRIBUTES);
    if (terminated.some(({ ice }) => ice !== undefined)) session.appendAttribute('ice-lite');
  }
  if (!isTerminated && terminated.length > 0) separateIce(document, lines);
  for (const [i, section] of media.entries()) if (isDirect(lines[i])) ownConnection(section);
  if (session.value('c') !== undefined) {
    const users = media.flatMap((section, i) => (section.value('c') === undefined ? [lines[i]] : []));
    const areNull = users.some((line) => line !== undefined && isNull(line, replace));
    session.setConnection(areNull ? nullOf(connection) : connection);
  }
  for (const [i, section] of media.entries()) {
    const line = lines[i];
    if (line?.kind === 'disabled') disableLine(section, line.form, connection, isTerminated);
    else if (line !== undefined) rewriteLine(section, line, connection, replace);
  }
  rewriteOrigin(document, connection, replace);
}

/** What the session says of ICE is true of the lines that pass through, and not of those that end here. */
function separateIce({ session, media }: SdpDocument, lines: readonly WrittenLine[]): void {
  for (const name of ['ice-ufrag', 'ice-pwd', 'ice-options']) {
    const value = session.attribute(name);
    if (value === undefined) continue;
    for (const [i, section] of media.entries()) {
      const line = lines[i];
      const isUntouched = line?.kind === 'kept' && line.terminated === undefined;
      if (isUntouched && !section.hasAttribute(name)) section.appendAttribute(name, value);
    }
    session.removeAttributes(name);
  }
}

function disableLine(
  section: SdpMedia,
  form: DisabledForm | undefined,
  connection: ConnectionData,
  isTerminated: boolean,
): void {
  if (section.value('c') !== undefined) section.setConnection(connection);
  if (section.port !== 0) section.port = 0;
  if (form) {
    const { protocol, formats = [] } = form;
    if (section.protocol !== protocol) section.protocol = protocol;
    if (formats.length > 0 && formats.join(' ') !== section.formats.join(' ')) section.formats = formats;
  }
  // Nobody needs to know where a line that is not used would have gone, or its keys.
  if (!isTerminated) return;
  section.removeAttributes('crypto', 'rtcp', 'bundle-only', ...KEY_ATTRIBUTES, ...ICE_ATTRIBUTES);
}

function rewriteLine(
  section: SdpMedia,
  line: KeptLine,
  connection: ConnectionData,
  replace: ReadonlySet<ReplaceFlag>,
): void {
  if (!line.isDirect) rewriteAddresses(section, line, connection, replace);
  if (line.terminated) return rewriteTerminated(section, line.terminated);
  if (line.lent.length > 0) {
    section.replaceAttributes('candidate', [...section.attributes('candidate'), ...line.lent]);
  }
  if (line.remoteCandidates) section.replaceAttributes('remote-candidates', line.remoteCandidates);
}

function rewriteAddresses(
  section: SdpMedia,
  line: KeptLine,
  connection: ConnectionData,
  replace: ReadonlySet<ReplaceFlag>,
): void {
  if (section.value('c') !== undefined) {
    section.setConnection(isNull(line, replace) ? nullOf(connection) : connection);
  }
  section.port = line.port;
  if (section.hasAttribute('rtcp')) {
    const address = section.rtcp()?.connection ? ` IN ${connection.family} ${connection.address}` : '';
    section.replaceAttributes('rtcp', [`${line.rtcpPort}${address}`]);
  }
}

function rewriteTerminated(section: SdpMedia, line: TerminatedLine): void {
  if (section.protocol !== line.protocol) section.protocol = line.protocol;
  section.removeAttributes(...ICE_ATTRIBUTES, ...KEY_ATTRIBUTES, 'bundle-only');
  if (!line.isRtp) return section.removeAttributes('crypto');
  section.removeAttributes(...DTLS_ATTRIBUTES);
  section.replaceAttributes('crypto', line.cryptos);
  if (!line.hasRtcpMux) section.removeAttributes('rtcp-mux', 'rtcp-mux-only');
  else if (!section.hasAttribute('rtcp-mux')) section.appendAttribute('rtcp-mux');
  if (line.ice) {
    section.appendAttribute('ice-ufrag', line.ice.local.ufrag);
    section.appendAttribute('ice-pwd', line.ice.local.password);
    for (const candidate of line.ice.candidates) section.appendAttribute('candidate', candidate);
  }
}

/** Each line has a port of its own here: one transport for several would lose all but the first. */
function unbundle(session: SdpSection): void {
  const groups = session.attributes('group');
  if (groups.some(isBundle)) {
    session.replaceAttributes(
      'group',
      groups.filter((group) => !isBundle(group)),
    );
  }
}

function isBundle(group: string): boolean {
  return /^BUNDLE(\s|$)/.test(group);
}

function rewriteOrigin(
  document: SdpDocument,
  connection: ConnectionData,
  replace: ReadonlySet<ReplaceFlag>,
): void {
  if (replace.has('origin')) document.setOrigin(connection);
  if (replace.has('username')) document.setOrigin({ username: '-' });
  if (replace.has('session-name') && document.session.value('s') !== undefined) {
    document.session.setValue('s', '-');
  }
}

function isDirect(line: WrittenLine | undefined): boolean {
  return line?.kind === 'kept' && line.isDirect;
}

/** Says in the line itself what it inherits: the session's c= becomes ours. */
function ownConnection(section: SdpMedia): void {
  const connection = section.connection();
  if (connection && section.value('c') === undefined) section.setConnection(connection);
}

/** A null address is an old way of putting on hold; it stays one unless the proxy wants it replaced. */
function isNull(line: WrittenLine, replace: ReadonlySet<ReplaceFlag>): boolean {
  return line.kind === 'kept' && line.isNullAddress && !replace.has('zero-address');
}

function nullOf({ family }: ConnectionData): ConnectionData {
  return { family, address: family === 'IP4' ? '0.0.0.0' : '::' };
}
