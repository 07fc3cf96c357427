/**
 * Long-term credentials (RFC 8489 §9.2): the local database, and time-limited credentials made from a
 * shared secret ("expiry:user", base64(HMAC-SHA1(secret, username))).
 *
 * Nothing is remembered about a client before it has proved a password; the nonce is verified first.
 */

import { u8, u16 } from '../wire/bytes.ts';
import { count } from '../wire/counters.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import {
  ATTR_NONCE,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_PASSWORD_ALGORITHMS,
  ATTR_REALM,
  ATTR_USERHASH,
  ATTR_USERNAME,
  type StunReader,
} from '../wire/stun.ts';
import { type HmacAlgorithm, type StunWriter, verifyIntegrity } from '../wire/stun-writer.ts';
import { TURN } from './counters.ts';
import { Nonces } from './nonces.ts';
import type { TurnCredential, TurnCrypto, TurnSettings } from './settings.ts';

/** Password algorithms (RFC 8489 §18.5). */
const PASSWORD_MD5 = 1;
const PASSWORD_SHA256 = 2;
/** What PASSWORD-ALGORITHMS offers, best first: SHA-256, MD5; each without parameters. */
const OFFERED_ALGORITHMS = Uint8Array.of(0, PASSWORD_SHA256, 0, 0, 0, PASSWORD_MD5, 0, 0);

/** USERNAME has fewer than 509 bytes (RFC 8489 §14.3). Normalising a name of 64 KB can take a third of a second. */
const USERNAME_BYTES_MAX = 508;
const USERHASH_BYTES = 32;

/** Keys of time-limited users, made on first sight; the oldest goes when there are more than this. */
const TIMED_KEYS_MAX = 10_000;

interface Keys {
  readonly md5: Uint8Array;
  readonly sha256: Uint8Array;
}

/** Who sent a request, once that is proved; reused for every request. */
export interface Identity {
  /** USERNAME without the expiry of time-limited credentials: what quotas and logs go by. */
  user: string;
  key: Uint8Array;
  algorithm: HmacAlgorithm;
}

/** 0: proved, see {@link Authentication.identity}; else the STUN error code to answer with. */
export type AuthenticationOutcome = 0 | 400 | 401 | 438;

export class Authentication {
  readonly identity: Identity = { user: '', key: new Uint8Array(0), algorithm: 'sha1' };
  readonly #settings: TurnSettings;
  readonly #crypto: TurnCrypto;
  readonly #counters: Float64Array;
  readonly #unixMs: () => number;
  readonly #nonces: Nonces;
  readonly #realm: Uint8Array;
  readonly #secret: Uint8Array;
  readonly #users = new Map<string, Keys>();
  readonly #userByHash = new Map<string, string>();
  readonly #timedKeys = new Map<string, Keys>();

  constructor(settings: TurnSettings, crypto: TurnCrypto, counters: Float64Array, unixMs: () => number) {
    this.#settings = settings;
    this.#crypto = crypto;
    this.#counters = counters;
    this.#unixMs = unixMs;
    this.#nonces = new Nonces(settings.nonceKey, crypto.hmac);
    this.#realm = encoder.encode(settings.realm);
    this.#secret = encoder.encode(settings.sharedSecret ?? '');
  }

  /** Adds a user of the local database, or changes the password. */
  setUser({ name, password }: TurnCredential): void {
    const user = opaque(name);
    this.#users.set(user, this.#keys(user, opaque(password)));
    this.#userByHash.set(this.#userHash(user), user);
  }

  /** Forgets a user; returns the name as {@link Identity} spells it. */
  removeUser(name: string): string {
    const user = opaque(name);
    this.#users.delete(user);
    this.#userByHash.delete(this.#userHash(user));
    return user;
  }

  /** Follows RFC 8489 §9.2.4 in its order; counts every failure under its reason. */
  check(request: StunReader, book: EndpointBook, client: number, nowMs: number): AuthenticationOutcome {
    if (request.integrityOffset < 0 && request.integritySha256Offset < 0)
      return this.#fail('authMissing', 401);
    const namesUser = request.has(ATTR_USERNAME) !== request.has(ATTR_USERHASH);
    if (!namesUser || !nameFits(request) || !request.has(ATTR_REALM) || !request.has(ATTR_NONCE)) {
      return this.#fail('authMalformed', 400);
    }
    const nonce = request.value(ATTR_NONCE);
    const nonceLength = request.valueLength(ATTR_NONCE);
    if (!this.#nonces.accepts(request.bytes, nonce, nonceLength, book, client, nowMs)) {
      return this.#fail('authStaleNonce', 438);
    }
    const algorithm = passwordAlgorithm(request);
    if (algorithm === undefined) return this.#fail('authBidDown', 400);
    if (!this.#sameRealm(request)) return this.#fail('authMalformed', 401);
    return this.#checkPassword(request, algorithm);
  }

  /** Adds what a client needs to try again: REALM, NONCE, PASSWORD-ALGORITHMS. */
  challenge(response: StunWriter, book: EndpointBook, client: number, nowMs: number): void {
    response
      .attribute(ATTR_REALM, this.#realm)
      .attribute(ATTR_NONCE, this.#nonces.issue(book, client, nowMs))
      .attribute(ATTR_PASSWORD_ALGORITHMS, OFFERED_ALGORITHMS);
  }

  #checkPassword(request: StunReader, algorithm: number): AuthenticationOutcome {
    const user = request.has(ATTR_USERHASH)
      ? this.#userByHash.get(hex(request, ATTR_USERHASH))
      : opaque(request.text(ATTR_USERNAME) ?? '');
    if (user === undefined) return this.#fail('authUnknownUser', 401);
    const keys = this.#users.get(user) ?? this.#keysOfTimedUser(user);
    if (keys === 'expired') return this.#fail('authExpiredUser', 401);
    if (keys === undefined) return this.#fail('authUnknownUser', 401);
    const key = algorithm === PASSWORD_SHA256 ? keys.sha256 : keys.md5;
    const sha256 = request.integritySha256Offset >= 0;
    const integrity = sha256 ? 'sha256' : 'sha1';
    const attribute = sha256 ? request.integritySha256Offset : request.integrityOffset;
    if (!verifyIntegrity(integrity, key, request.bytes, request.offset, attribute, this.#crypto.hmac)) {
      return this.#fail('authWrongPassword', 401);
    }
    const isLocal = this.#users.has(user);
    if (!isLocal) this.#rememberTimedUser(user, keys);
    this.identity.user = isLocal ? user : nameOfTimedUser(user);
    this.identity.key = key;
    this.identity.algorithm = integrity;
    return 0;
  }

  /** "expiry:user" or the expiry alone, in Unix seconds. */
  #keysOfTimedUser(username: string): Keys | 'expired' | undefined {
    if (this.#secret.length === 0) return undefined;
    const expiry = /^(\d{1,12})(?::|$)/.exec(username)?.[1];
    if (expiry === undefined) return undefined;
    if (Number(expiry) * 1000 <= this.#unixMs()) return 'expired';
    const known = this.#timedKeys.get(username);
    if (known) return known;
    const name = encoder.encode(username);
    const mac = this.#crypto.hmac('sha1', this.#secret, name, 0, name.length);
    return this.#keys(username, btoa(String.fromCharCode(...mac)));
  }

  /** Called once the password is proved: a stranger must not be able to fill or flush this memory. */
  #rememberTimedUser(username: string, keys: Keys): void {
    if (this.#timedKeys.has(username)) return;
    this.#timedKeys.set(username, keys);
    if (this.#timedKeys.size <= TIMED_KEYS_MAX) return;
    const [oldest] = this.#timedKeys.keys();
    if (oldest !== undefined) this.#timedKeys.delete(oldest);
  }

  #keys(user: string, password: string): Keys {
    const text = `${user}:${this.#settings.realm}:${password}`;
    return { md5: this.#crypto.digest('md5', text), sha256: this.#crypto.digest('sha256', text) };
  }

  #userHash(user: string): string {
    return hexOf(this.#crypto.digest('sha256', `${user}:${this.#settings.realm}`));
  }

  #sameRealm(request: StunReader): boolean {
    const value = request.value(ATTR_REALM);
    if (request.valueLength(ATTR_REALM) !== this.#realm.length) return false;
    return this.#realm.every((byte, i) => byte === u8(request.bytes, value + i));
  }

  #fail<Code extends AuthenticationOutcome>(reason: keyof typeof TURN, code: Code): Code {
    count(this.#counters, TURN[reason]);
    return code;
  }
}

/**
 * The password algorithm the client chose, or undefined where what it says it was offered is not what
 * we offer, or a client that knows our feature bit dropped the stronger integrity (RFC 8489 §9.2.4).
 */
function passwordAlgorithm(request: StunReader): number | undefined {
  const chosen = request.value(ATTR_PASSWORD_ALGORITHM);
  const offered = request.value(ATTR_PASSWORD_ALGORITHMS);
  if (chosen < 0 && offered < 0) return PASSWORD_MD5;
  if (chosen < 0 || offered < 0 || request.valueLength(ATTR_PASSWORD_ALGORITHM) < 4) return undefined;
  if (request.valueLength(ATTR_PASSWORD_ALGORITHMS) !== OFFERED_ALGORITHMS.length) return undefined;
  for (let i = 0; i < OFFERED_ALGORITHMS.length; i++) {
    if (u8(request.bytes, offered + i) !== OFFERED_ALGORITHMS[i]) return undefined;
  }
  const algorithm = u16(request.bytes, chosen);
  return algorithm === PASSWORD_MD5 || algorithm === PASSWORD_SHA256 ? algorithm : undefined;
}

/** The name behind the expiry; where there is none the expiry stands for it, as quotas pass over an empty name. */
function nameOfTimedUser(username: string): string {
  return username.slice(username.indexOf(':') + 1) || username;
}

/** Whether the name is of a length that names have: what is longer is costly to look at, and nobody's. */
function nameFits(request: StunReader): boolean {
  if (request.has(ATTR_USERHASH)) return request.valueLength(ATTR_USERHASH) === USERHASH_BYTES;
  return request.valueLength(ATTR_USERNAME) <= USERNAME_BYTES_MAX;
}

/** RFC 8265 OpaqueString, as far as STUN needs it: NFC, and every space the plain one. */
function opaque(text: string): string {
  return text.normalize('NFC').replace(/\p{Zs}/gu, ' ');
}

function hex(request: StunReader, attribute: number): string {
  const value = request.value(attribute);
  return hexOf(request.bytes.subarray(value, value + request.valueLength(attribute)));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const encoder = new TextEncoder();
