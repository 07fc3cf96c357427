/**
 * ICE: what the B2BUA is to a leg on which it is itself the ICE peer. This folder holds credentials, candidates and
 * the answering of connectivity checks; it is pure and imports wire alone.
 *
 * The B2BUA is a lite agent (RFC 8445 §2.5): it has host candidates only, answers checks and sends none. Its
 * peer is full, controls (§6.1.1) and nominates; media goes where a nominating check came from.
 */
import { u8 } from '../wire/bytes.ts';
import type { DatagramIo } from '../wire/datagram-io.ts';
import {
  ATTR_ERROR_CODE,
  ATTR_ICE_CONTROLLED,
  ATTR_MAPPED_ADDRESS,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_NONCE,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_PRIORITY,
  ATTR_REALM,
  ATTR_UNKNOWN_ATTRIBUTES,
  ATTR_USE_CANDIDATE,
  ATTR_USERHASH,
  ATTR_USERNAME,
  ATTR_XOR_MAPPED_ADDRESS,
  CLASS_ERROR,
  CLASS_INDICATION,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  METHOD_BINDING,
  STUN_BAD_FINGERPRINT,
  STUN_NOT_STUN,
  STUN_OK,
  StunReader,
} from '../wire/stun.ts';
import { type Hmac, type HmacAlgorithm, StunWriter, verifyIntegrity } from '../wire/stun-writer.ts';

/** Outcomes of {@link IceLiteResponder.receive}. */

/** No STUN message: by its first byte or its length it is something else (RFC 7983 §7). */
export const ICE_NOT_STUN = 0;
/** A valid check, or a consent request (RFC 7675), which is the same; answered with success. */
export const ICE_CHECK = 1;
/** A valid check that nominates the pair it came on (USE-CANDIDATE); answered with success. */
export const ICE_NOMINATED = 2;
/** A Binding indication: keeps NATs open, proves nothing (RFC 8445 §11). */
export const ICE_KEEPALIVE = 3;
/** Answered with an error. */
export const ICE_REFUSED = 4;
export const ICE_DROPPED_MALFORMED = 5;
export const ICE_DROPPED_BAD_FINGERPRINT = 6;
/** A response, which nobody asked for, or another method. */
export const ICE_DROPPED_UNEXPECTED = 7;
/** A stranger's request so short that the error would be longer: nobody is made to amplify. */
export const ICE_DROPPED_UNANSWERED = 8;

/** Username fragment and password of one side, as in `a=ice-ufrag` and `a=ice-pwd` (RFC 8839 §5.4). */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** `ice-char` of RFC 8839 §5.1: 64 of them, 6 bits each. */
const ICE_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** 48 and 144 bits; RFC 8445 §5.3 wants at least 24 and 128. */
const UFRAG_CHARACTERS = 8;
const PASSWORD_CHARACTERS = 24;

/** Fresh credentials of our own. `randomFill` fills with random bytes fit for secrets. */
export function iceCredentials(randomFill: (bytes: Uint8Array) => void): IceCredentials {
  const random = new Uint8Array(UFRAG_CHARACTERS + PASSWORD_CHARACTERS);
  randomFill(random);
  const text = Array.from(random, (byte) => ICE_CHARACTERS.charAt(byte & 63)).join('');
  return { ufrag: text.slice(0, UFRAG_CHARACTERS), password: text.slice(UFRAG_CHARACTERS) };
}

/**
 * What checks of one m-line (all its components) are judged by. An ICE restart is a new agent. The peer's
 * password is not here: a lite agent sends no checks.
 */
export class IceLiteAgent {
  readonly local: IceCredentials;
  /**
   * `peer`: we are the other side's ICE peer, lite and so always controlled. `stand-in`: we answer for somebody
   * whose credentials these are, and who has whichever role the two of them agreed on.
   */
  readonly part: 'peer' | 'stand-in';
  /** Key of the integrity of checks and of their answers (RFC 8445 §7.2.2). */
  readonly key: Uint8Array;
  /** Offered in an ICE restart and not answered yet: checks may overtake the answer. */
  successor: IceLiteAgent | undefined;
  readonly #localUfrag: Uint8Array;
  #remoteUfrag: Uint8Array | undefined;

  constructor(local: IceCredentials, part: 'peer' | 'stand-in' = 'peer') {
    this.local = local;
    this.part = part;
    this.key = encoder.encode(local.password);
    this.#localUfrag = encoder.encode(local.ufrag);
  }

  /** Sets the peer's `a=ice-ufrag`; undefined (as at first): not known yet, and then any will do. */
  setRemoteUfrag(ufrag: string | undefined): void {
    this.#remoteUfrag = ufrag === undefined ? undefined : encoder.encode(ufrag);
  }

  /**
   * Whether the USERNAME of `length` bytes at `offset` is ours, a colon and the peer's (RFC 8445 §7.2.2).
   * A check may overtake the answer that tells the peer's fragment.
   */
  isAddressedBy(bytes: Uint8Array, offset: number, length: number): boolean {
    const local = this.#localUfrag;
    const remote = this.#remoteUfrag;
    const remoteOffset = offset + local.length + 1;
    const remoteLength = length - local.length - 1;
    if (remoteLength < 1 || u8(bytes, remoteOffset - 1) !== COLON) return false;
    if (!startsWith(bytes, offset, local)) return false;
    if (remote === undefined) return true;
    return remoteLength === remote.length && startsWith(bytes, remoteOffset, remote);
  }
}

/**
 * Attributes of RFC 8489 and RFC 8445: those that have no place in a check are known all the same, and
 * ignored (RFC 8489 §6.3).
 */
const UNDERSTOOD = [
  ATTR_MAPPED_ADDRESS,
  ATTR_USERNAME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_ERROR_CODE,
  ATTR_UNKNOWN_ATTRIBUTES,
  ATTR_REALM,
  ATTR_NONCE,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_USERHASH,
  ATTR_XOR_MAPPED_ADDRESS,
  ATTR_PRIORITY,
  ATTR_USE_CANDIDATE,
];

/** Answers connectivity checks (RFC 8445 §7.3); one serves all agents of a core. */
export class IceLiteResponder {
  readonly #io: DatagramIo;
  readonly #hmac: Hmac;
  readonly #request = new StunReader(UNDERSTOOD);
  readonly #writer: StunWriter;

  constructor(io: DatagramIo, hmac: Hmac) {
    this.#io = io;
    this.#hmac = hmac;
    this.#writer = new StunWriter(io.bytes);
  }

  /**
   * Judges a packet received on a component of `agent`, and answers where an answer is due, from the same
   * socket to `source`. Returns an `ICE_…` outcome.
   */
  receive(agent: IceLiteAgent, socket: number, offset: number, length: number, source: number): number {
    const request = this.#request;
    const parsed = request.parse(this.#io.bytes, offset, length);
    if (parsed === STUN_NOT_STUN) return ICE_NOT_STUN;
    if (parsed === STUN_BAD_FINGERPRINT) return ICE_DROPPED_BAD_FINGERPRINT;
    if (parsed !== STUN_OK || request.classic) return ICE_DROPPED_MALFORMED;
    if (request.method !== METHOD_BINDING) return ICE_DROPPED_UNEXPECTED;
    if (request.messageClass === CLASS_INDICATION) return ICE_KEEPALIVE;
    if (request.messageClass !== CLASS_REQUEST) return ICE_DROPPED_UNEXPECTED;
    return this.#answer(agent, socket, source);
  }

  /**
   * The checks of short-term credentials in their order (RFC 8489 §9.1.3), then unknown attributes (§6.3.1),
   * then the roles. FINGERPRINT may be missing: what is accepted has integrity, which says more.
   */
  #answer(agent: IceLiteAgent, socket: number, source: number): number {
    const request = this.#request;
    const { bytes, offset } = request;
    const hasSha256 = request.integritySha256Offset >= 0;
    const integrity = hasSha256 ? request.integritySha256Offset : request.integrityOffset;
    const username = request.value(ATTR_USERNAME);
    if (integrity < 0 || username < 0) return this.#refuseStranger(400, socket, source);
    if (!agent.isAddressedBy(bytes, username, request.valueLength(ATTR_USERNAME))) {
      const { successor } = agent;
      return successor ? this.#answer(successor, socket, source) : this.#refuseStranger(401, socket, source);
    }
    const algorithm = hasSha256 ? 'sha256' : 'sha1';
    if (!verifyIntegrity(algorithm, agent.key, bytes, offset, integrity, this.#hmac)) {
      return this.#refuseStranger(401, socket, source);
    }
    if (request.unknownCount > 0) return this.#refusePeer(420, agent, algorithm, socket, source);
    // Of two controlled agents the full one is wrong, whatever the tie-breakers (RFC 8445 §6.1.1); the error
    // makes it take the other role (§7.2.5.1).
    if (agent.part === 'peer' && request.has(ATTR_ICE_CONTROLLED))
      return this.#refusePeer(487, agent, algorithm, socket, source);
    this.#begin(CLASS_SUCCESS).xorAddress(ATTR_XOR_MAPPED_ADDRESS, this.#io.endpoints, source);
    this.#send(agent, algorithm, socket, source);
    return request.has(ATTR_USE_CANDIDATE) ? ICE_NOMINATED : ICE_CHECK;
  }

  /** Refuses a request of nobody known: without integrity (RFC 8489 §9.1.3), and never longer than what came. */
  #refuseStranger(code: number, socket: number, source: number): number {
    if (this.#request.length < STRANGERS_ERROR_BYTES) return ICE_DROPPED_UNANSWERED;
    const writer = this.#begin(CLASS_ERROR).errorCode(code).fingerprint();
    this.#io.send(socket, writer.offset, writer.length, source);
    return ICE_REFUSED;
  }

  #refusePeer(
    code: number,
    agent: IceLiteAgent,
    algorithm: HmacAlgorithm,
    socket: number,
    source: number,
  ): number {
    const writer = this.#begin(CLASS_ERROR).errorCode(code);
    if (code === 420) writer.unknownAttributes(this.#request.unknown, this.#request.unknownCount);
    this.#send(agent, algorithm, socket, source);
    return ICE_REFUSED;
  }

  #begin(messageClass: number): StunWriter {
    const { bytes, offset } = this.#request;
    return this.#writer
      .begin(this.#io.reserve(), METHOD_BINDING, messageClass)
      .answering(bytes, offset, false);
  }

  /** Sends what is written, with the integrity the request had (RFC 8489 §9.1.3) and FINGERPRINT (RFC 8445 §7). */
  #send(agent: IceLiteAgent, algorithm: HmacAlgorithm, socket: number, source: number): void {
    const writer = this.#writer.integrity(algorithm, agent.key, this.#hmac).fingerprint();
    this.#io.send(socket, writer.offset, writer.length, source);
  }
}

const COLON = 0x3a;
/** A header, ERROR-CODE without a phrase, FINGERPRINT. */
const STRANGERS_ERROR_BYTES = 36;
const encoder = new TextEncoder();

function startsWith(bytes: Uint8Array, offset: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (u8(bytes, offset + i) !== u8(prefix, i)) return false;
  return true;
}
