/** The ICE attributes of SDP that name transport addresses: a=candidate and a=remote-candidates (RFC 8839). */
import { parseAddress } from './address.ts';
import { decimal, fieldsOf, isHostName } from './sdp-fields.ts';

/** RFC 8445 §5.1.2: 1 to 2^31 − 1. */
export const CANDIDATE_PRIORITY_MAX = 0x7fff_ffff;

/** One a=candidate (RFC 8839 §5.1). */
export interface SdpCandidate {
  /** 1–32 letters, digits, `+` or `/`. */
  readonly foundation: string;
  /** 1–256; 1 is RTP, 2 RTCP. */
  readonly componentId: number;
  /** As written; `UDP`, `udp`, `TCP`: case has no meaning. */
  readonly transport: string;
  /** 1–{@link CANDIDATE_PRIORITY_MAX}. */
  readonly priority: number;
  /** An IP literal, a host name, or a name ending in `.local` that hides an address (mDNS). Not resolved. */
  readonly address: string;
  /** 0–65535; active TCP candidates have 9 (RFC 6544 §4.5). */
  readonly port: number;
  /** `host`, `srflx`, `prflx`, `relay`, or one to come. */
  readonly type: string;
  /** `raddr`; undefined if absent, also where RFC 8839 wants it. */
  readonly relatedAddress: string | undefined;
  /** `rport`. */
  readonly relatedPort: number | undefined;
  /** What follows, as written: `tcptype active generation 0`; '' if nothing does. */
  readonly extensions: string;
}

/** One entry of a=remote-candidates (RFC 8839 §5.2). */
export interface RemoteCandidate {
  readonly componentId: number;
  readonly address: string;
  readonly port: number;
}

/** What follows `a=candidate:`; undefined if malformed. */
export function parseCandidate(value: string): SdpCandidate | undefined {
  const fields = fieldsOf(value);
  const [foundation = '', component = '', transport = '', priorityText = '', address = ''] = fields;
  const [portText = '', keyword, type = ''] = fields.slice(5);
  const componentId = decimal(component, 1, 256);
  const priority = decimal(priorityText, 1, CANDIDATE_PRIORITY_MAX);
  const port = decimal(portText, 0, 65_535);
  if (componentId === undefined || priority === undefined || port === undefined) return undefined;
  if (!/^[A-Za-z0-9+/]{1,32}$/.test(foundation) || !isToken(transport)) return undefined;
  if (keyword !== 'typ' || !isToken(type) || !isAddress(address)) return undefined;
  const rest = fields.slice(8);
  const relatedAddress = takeValue(rest, 'raddr');
  const relatedPortText = takeValue(rest, 'rport');
  const relatedPort = relatedPortText === undefined ? undefined : decimal(relatedPortText, 0, 65_535);
  if (relatedAddress !== undefined && !isAddress(relatedAddress)) return undefined;
  if (relatedPortText !== undefined && relatedPort === undefined) return undefined;
  const extensions = rest.join(' ');
  const transportAddress = { foundation, componentId, transport, priority, address, port, type };
  return { ...transportAddress, relatedAddress, relatedPort, extensions };
}

/** What follows `a=candidate:`. */
export function formatCandidate(candidate: SdpCandidate): string {
  const { foundation, componentId, transport, priority, address, port, type } = candidate;
  const { relatedAddress, relatedPort, extensions } = candidate;
  const fields = [foundation, componentId, transport, priority, address, port, 'typ', type];
  if (relatedAddress !== undefined) fields.push('raddr', relatedAddress);
  if (relatedPort !== undefined) fields.push('rport', relatedPort);
  if (extensions !== '') fields.push(extensions);
  return fields.join(' ');
}

/** What follows `a=remote-candidates:`; undefined if malformed. */
export function parseRemoteCandidates(value: string): RemoteCandidate[] | undefined {
  const fields = fieldsOf(value);
  if (fields.length === 0) return undefined;
  const candidates: RemoteCandidate[] = [];
  for (let i = 0; i < fields.length; i += 3) {
    const componentId = decimal(fields[i] ?? '', 1, 256);
    const address = fields[i + 1] ?? '';
    const port = decimal(fields[i + 2] ?? '', 0, 65_535);
    if (componentId === undefined || port === undefined || !isAddress(address)) return undefined;
    candidates.push({ componentId, address, port });
  }
  return candidates;
}

/** What follows `a=remote-candidates:`. */
export function formatRemoteCandidates(candidates: readonly RemoteCandidate[]): string {
  return candidates.map(({ componentId, address, port }) => `${componentId} ${address} ${port}`).join(' ');
}

/** Takes `name value` off the front, if it stands there. */
function takeValue(fields: string[], name: string): string | undefined {
  if (fields[0] !== name || fields.length < 2) return undefined;
  return fields.splice(0, 2)[1];
}

function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined || isHostName(text);
}

/** `token` of RFC 8866 §9. */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+$/.test(text);
}
