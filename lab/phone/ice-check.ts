/** Connectivity checks as STUN messages (RFC 8445 §7), of one agent. */
import { createHash } from 'node:crypto';
import type { AgentCredentials } from './ice-candidates.ts';
import {
  A,
  type Attribute,
  BINDING,
  decodeXorAddress,
  encode,
  encodeXorAddress,
  find,
  hasIntegrity,
  type Message,
  REQUEST,
  SUCCESS,
} from './plain-stun.ts';
import type { TransportAddress } from './protocol.ts';

const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const ICE_CONTROLLED = 0x8029;
const ICE_CONTROLLING = 0x802a;

export interface Check {
  readonly transactionId: Uint8Array;
  readonly local: AgentCredentials;
  readonly remote: AgentCredentials;
  readonly isControlling: boolean;
  readonly nominates: boolean;
  /** That a peer-reflexive candidate would have (§7.1.1). */
  readonly priority: number;
}

export function writeCheck(check: Check): Buffer {
  const { transactionId, local, remote } = check;
  const priority = Buffer.alloc(4);
  priority.writeUInt32BE(check.priority);
  const attributes: Attribute[] = [
    { type: A.username, value: Buffer.from(`${remote.ufrag}:${local.ufrag}`) },
    { type: PRIORITY, value: priority },
    {
      type: check.isControlling ? ICE_CONTROLLING : ICE_CONTROLLED,
      value: createHash('sha256').update(local.pwd).digest().subarray(0, 8),
    },
    ...(check.nominates ? [{ type: USE_CANDIDATE, value: Buffer.alloc(0) }] : []),
  ];
  return encode(
    { method: BINDING, kind: REQUEST, transactionId, attributes },
    { integrity: integrityOf(remote), fingerprint: true },
  );
}

/** The answer to a check that came from the address; undefined where it was not for these credentials. */
export function answerCheck(
  message: Message,
  bytes: Uint8Array,
  local: AgentCredentials,
  from: TransportAddress,
): Buffer | undefined {
  const username = Buffer.from(find(message, A.username) ?? []).toString();
  const integrity = integrityOf(local);
  if (!username.startsWith(`${local.ufrag}:`) || !hasIntegrity(bytes, integrity)) return undefined;
  const { transactionId } = message;
  const mapped = { type: A.xorMappedAddress, value: encodeXorAddress(from, transactionId) };
  const answer = { method: BINDING, kind: SUCCESS, transactionId, attributes: [mapped] };
  return encode(answer, { integrity, fingerprint: true });
}

/** Where the other side saw our check come from; undefined where the answer is not the other side's. */
export function readAnswer(
  message: Message,
  bytes: Uint8Array,
  remote: AgentCredentials,
): TransportAddress | undefined {
  const mapped = find(message, A.xorMappedAddress);
  if (!mapped || !hasIntegrity(bytes, integrityOf(remote))) return undefined;
  return decodeXorAddress(mapped, message.transactionId);
}

export function nominates(message: Message): boolean {
  return find(message, USE_CANDIDATE) !== undefined;
}

/** Of the peer-reflexive candidate that a check from an unknown address is from; 0 where it says none. */
export function priorityIn(message: Message): number {
  const value = find(message, PRIORITY);
  return value?.length === 4 ? Buffer.from(value).readUInt32BE() : 0;
}

/** Whether these bytes are STUN rather than media (RFC 7983 §7). */
export function isStun(bytes: Uint8Array): boolean {
  return bytes.length >= 20 && (bytes[0] ?? 0) < 4;
}

function integrityOf({ pwd }: AgentCredentials): { readonly algorithm: 'sha1'; readonly key: Buffer } {
  return { algorithm: 'sha1', key: Buffer.from(pwd) };
}
