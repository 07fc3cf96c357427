/**
 * The client's side of one TURN allocation (RFC 8656), without sockets or clocks: it makes requests
 * and reads the answers. Long-term credentials as of RFC 8489 §9.2, with MD5 keys and
 * MESSAGE-INTEGRITY, which every server accepts.
 */
import { createHash, createHmac, randomFillSync } from 'node:crypto';
import { u8, u32 } from '../wire/bytes.ts';
import { type EndpointBook, INET6 } from '../wire/endpoint.ts';
import {
  ATTR_CHANNEL_NUMBER,
  ATTR_ERROR_CODE,
  ATTR_LIFETIME,
  ATTR_NONCE,
  ATTR_REALM,
  ATTR_REQUESTED_ADDRESS_FAMILY,
  ATTR_REQUESTED_TRANSPORT,
  ATTR_UNKNOWN_ATTRIBUTES,
  ATTR_USERNAME,
  ATTR_XOR_MAPPED_ADDRESS,
  ATTR_XOR_PEER_ADDRESS,
  ATTR_XOR_RELAYED_ADDRESS,
  CLASS_ERROR,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  FAMILY_IPV6,
  METHOD_ALLOCATE,
  METHOD_CHANNEL_BIND,
  METHOD_CREATE_PERMISSION,
  METHOD_REFRESH,
  readXorAddress,
  STUN_OK,
  StunReader,
} from '../wire/stun.ts';
import { type Hmac, StunWriter, verifyIntegrity } from '../wire/stun-writer.ts';
import type { RequestClient, RequestOutcome } from './request-window.ts';

export type TurnOperation = 'allocate' | 'bindChannel' | 'permit' | 'refresh' | 'release';

export interface TurnCredentials {
  readonly name: string;
  readonly password: string;
}

const ATTR_SOFTWARE = 0x8022;
const TRANSPORT_UDP = 17;
const TRANSACTION_ID_BYTES = 12;
const REQUEST_BYTES_MAX = 1024;
/** New nonces accepted for one operation; a server that wants more is broken. */
const NONCES_MAX = 3;
const UNAUTHENTICATED = 401;
/** Error code "allocation mismatch": there is one already (or, for a refresh, there is none). */
export const ALLOCATION_MISMATCH = 437;
const STALE_NONCE = 438;

const encoder = new TextEncoder();
const hmac: Hmac = (algorithm, key, bytes, offset, length) =>
  createHmac(algorithm, key)
    .update(bytes.subarray(offset, offset + length))
    .digest();

/** What the clients of one run share: memory to write and read messages in, and the run's settings. */
export class TurnClientContext {
  readonly endpoints: EndpointBook;
  readonly credentials: TurnCredentials | undefined;
  readonly reader: StunReader = new StunReader([
    ATTR_ERROR_CODE,
    ATTR_LIFETIME,
    ATTR_NONCE,
    ATTR_REALM,
    ATTR_UNKNOWN_ATTRIBUTES,
    ATTR_USERNAME,
    ATTR_XOR_MAPPED_ADDRESS,
    ATTR_XOR_RELAYED_ADDRESS,
  ]);
  readonly writer: StunWriter = new StunWriter(new Uint8Array(REQUEST_BYTES_MAX));
  /** What the server calls itself, once an answer said so. */
  software: string | undefined;
  #key: Uint8Array = new Uint8Array(0);
  #keyRealm: string | undefined;

  constructor(endpoints: EndpointBook, credentials: TurnCredentials | undefined) {
    this.endpoints = endpoints;
    this.credentials = credentials;
  }

  /** The long-term key in a realm (RFC 8489 §9.2.2), the same for every client of the run. */
  keyFor(realm: string): Uint8Array {
    if (realm !== this.#keyRealm) {
      const { name = '', password = '' } = this.credentials ?? {};
      this.#key = createHash('md5').update(`${name}:${realm}:${password}`).digest();
      this.#keyRealm = realm;
    }
    return this.#key;
  }
}

export class TurnClient implements RequestClient<TurnOperation> {
  /** Row of the relayed transport address, or -1 without an allocation. */
  relay = -1;
  /** The request under way, or the last one; empty before the first. */
  request: Uint8Array = new Uint8Array(0);
  failure = '';
  /** The server's error code in {@link failure}, or 0. */
  failureCode = 0;

  readonly #context: TurnClientContext;
  /** Row of the peer's address. */
  readonly #peer: number;
  readonly #channel: number;
  #operation: TurnOperation = 'allocate';
  #waiting = false;
  #realm: string | undefined;
  #nonce: Uint8Array | undefined;
  #noncesSeen = 0;

  /** `peer`: row of the address that the relay is for; `channel`: number to bind, 0x4000 to 0x4FFF. */
  constructor(context: TurnClientContext, peer: number, channel: number) {
    this.#context = context;
    this.#peer = peer;
    this.#channel = channel;
  }

  /** Without an allocation there is nothing to refresh, bind or release. */
  canBegin(operation: TurnOperation): boolean {
    return operation === 'allocate' || this.relay >= 0;
  }

  /** Begins an operation: {@link request} is what to send, and to send again until an outcome comes. */
  begin(operation: TurnOperation): void {
    this.#operation = operation;
    this.#noncesSeen = 0;
    this.#waiting = true;
    this.failureCode = 0;
    this.#writeRequest();
  }

  abandon(reason: string): void {
    this.#waiting = false;
    this.failure = `${this.#operation}: ${reason}`;
  }

  /** Reads a STUN message from the server. */
  receive(bytes: Uint8Array, offset: number, length: number): RequestOutcome {
    const { reader } = this.#context;
    if (!this.#waiting || !this.#answers(bytes, offset)) return 'unrelated';
    if (reader.parse(bytes, offset, length) !== STUN_OK) return 'unrelated';
    if (reader.messageClass === CLASS_ERROR) return this.#receiveError();
    if (reader.messageClass !== CLASS_SUCCESS) return 'unrelated';
    if (this.#nonce && !this.#isAuthentic()) return 'unrelated'; // RFC 8489 §9.2.5: as if it had not come
    this.#waiting = false;
    this.#context.software ??= reader.text(ATTR_SOFTWARE);
    if (this.#operation === 'release') this.relay = -1;
    return this.#operation === 'allocate' ? this.#receiveAllocation() : 'done';
  }

  #receiveAllocation(): RequestOutcome {
    const { endpoints, reader } = this.#context;
    const value = reader.value(ATTR_XOR_RELAYED_ADDRESS);
    const row = value < 0 ? -1 : endpoints.acquire();
    if (row < 0 || !readXorAddress(reader.bytes, reader.offset, value, endpoints, row)) {
      return this.#fail('the success response has no valid XOR-RELAYED-ADDRESS');
    }
    this.relay = row;
    return 'done';
  }

  #receiveError(): RequestOutcome {
    const { reader } = this.#context;
    const value = reader.value(ATTR_ERROR_CODE);
    const code = value < 0 ? 0 : (u8(reader.bytes, value + 2) & 0x07) * 100 + u8(reader.bytes, value + 3);
    this.#context.software ??= reader.text(ATTR_SOFTWARE);
    const wantsCredentials = code === UNAUTHENTICATED && this.#nonce === undefined;
    if ((wantsCredentials || code === STALE_NONCE) && this.#takeChallenge()) {
      this.#writeRequest();
      return 'again';
    }
    // What is to be released is gone already.
    if (this.#operation === 'release' && code === ALLOCATION_MISMATCH) {
      this.#waiting = false;
      this.relay = -1;
      return 'done';
    }
    this.failureCode = code;
    const phrase = reader.valueLength(ATTR_ERROR_CODE) > 4 ? reader.text(ATTR_ERROR_CODE)?.slice(4) : '';
    return this.#fail(`error ${code}${phrase ? ` ${phrase}` : ''}`);
  }

  /** Keeps realm and nonce of a 401 or 438; false if there is nothing to try again with. */
  #takeChallenge(): boolean {
    const { credentials, reader } = this.#context;
    const nonce = reader.value(ATTR_NONCE);
    const realm = reader.text(ATTR_REALM) ?? this.#realm;
    if (!credentials || nonce < 0 || realm === undefined || ++this.#noncesSeen > NONCES_MAX) return false;
    this.#realm = realm;
    this.#nonce = reader.bytes.slice(nonce, nonce + reader.valueLength(ATTR_NONCE));
    return true;
  }

  #isAuthentic(): boolean {
    const { reader } = this.#context;
    if (reader.integrityOffset < 0) return false;
    const key = this.#context.keyFor(this.#realm ?? '');
    return verifyIntegrity('sha1', key, reader.bytes, reader.offset, reader.integrityOffset, hmac);
  }

  /** Whether cookie and transaction ID are those of the request. */
  #answers(bytes: Uint8Array, offset: number): boolean {
    for (let at = 4; at < 20; at += 4) {
      if (u32(bytes, offset + at) !== u32(this.request, at)) return false;
    }
    return true;
  }

  #writeRequest(): void {
    const { credentials, endpoints, writer } = this.#context;
    writer.begin(0, METHODS[this.#operation], CLASS_REQUEST);
    writer.transactionId(randomTransactionId(), 0);
    if (this.#operation === 'allocate') {
      writer.attributeU32(ATTR_REQUESTED_TRANSPORT, TRANSPORT_UDP << 24);
      if (endpoints.family(this.#peer) === INET6) {
        writer.attributeU32(ATTR_REQUESTED_ADDRESS_FAMILY, FAMILY_IPV6 << 24);
      }
    } else if (this.#operation === 'bindChannel') {
      writer.attributeU32(ATTR_CHANNEL_NUMBER, this.#channel << 16);
    } else if (this.#operation === 'release') {
      writer.attributeU32(ATTR_LIFETIME, 0);
    }
    if (this.#operation === 'bindChannel' || this.#operation === 'permit') {
      writer.xorAddress(ATTR_XOR_PEER_ADDRESS, endpoints, this.#peer);
    }
    if (credentials && this.#nonce && this.#realm !== undefined) {
      writer.attribute(ATTR_USERNAME, encoder.encode(credentials.name));
      writer.attribute(ATTR_REALM, encoder.encode(this.#realm));
      writer.attribute(ATTR_NONCE, this.#nonce);
      writer.integrity('sha1', this.#context.keyFor(this.#realm), hmac);
    }
    this.request = writer.bytes.slice(0, writer.length);
  }

  #fail(reason: string): RequestOutcome {
    this.abandon(reason);
    return 'failed';
  }
}

const METHODS: Readonly<Record<TurnOperation, number>> = {
  allocate: METHOD_ALLOCATE,
  bindChannel: METHOD_CHANNEL_BIND,
  permit: METHOD_CREATE_PERMISSION,
  refresh: METHOD_REFRESH,
  release: METHOD_REFRESH,
};

/** Random bytes are drawn in bulk: a call of the system's generator per request costs more than the request. */
const randomPool = new Uint8Array(TRANSACTION_ID_BYTES * 256);
let randomUsed = randomPool.length;
const transactionId = new Uint8Array(TRANSACTION_ID_BYTES);

function randomTransactionId(): Uint8Array {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  transactionId.set(randomPool.subarray(randomUsed, randomUsed + TRANSACTION_ID_BYTES));
  randomUsed += TRANSACTION_ID_BYTES;
  return transactionId;
}
