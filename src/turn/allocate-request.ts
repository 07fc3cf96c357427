/** Reads an Allocate request: what it wants, or the error it deserves, in the order of RFC 8656 §7.2. */
import { u8, u32 } from '../wire/bytes.ts';
import {
  ATTR_ADDITIONAL_ADDRESS_FAMILY,
  ATTR_EVEN_PORT,
  ATTR_LIFETIME,
  ATTR_REQUESTED_ADDRESS_FAMILY,
  ATTR_REQUESTED_TRANSPORT,
  ATTR_RESERVATION_TOKEN,
  FAMILY_IPV4,
  FAMILY_IPV6,
  type StunReader,
} from '../wire/stun.ts';
import { RESERVATION_TOKEN_BYTES } from './reservations.ts';

/** Lifetime of an allocation that asks for none (RFC 8656 §7.2). */
export const LIFETIME_DEFAULT_SECONDS = 600;

const TRANSPORT_UDP = 17;

export interface AllocateWish {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** A dual allocation (ADDITIONAL-ADDRESS-FAMILY) is content with one of the two. */
  readonly eitherSuffices: boolean;
  readonly port: 'any' | 'even' | 'even-pair';
  /** Offset of the RESERVATION-TOKEN's value, or -1. */
  readonly token: number;
}

/** What the request wants, or a STUN error code: 400, 440 or 442. */
export function readAllocateRequest(request: StunReader): AllocateWish | 400 | 440 | 442 {
  if (request.valueLength(ATTR_REQUESTED_TRANSPORT) !== 4) return 400;
  if (u8(request.bytes, request.value(ATTR_REQUESTED_TRANSPORT)) !== TRANSPORT_UDP) return 442;
  const requested = request.has(ATTR_REQUESTED_ADDRESS_FAMILY);
  const additional = request.has(ATTR_ADDITIONAL_ADDRESS_FAMILY);
  const even = request.has(ATTR_EVEN_PORT);
  const token = request.value(ATTR_RESERVATION_TOKEN);
  if (token >= 0) {
    const tokenFits = request.valueLength(ATTR_RESERVATION_TOKEN) === RESERVATION_TOKEN_BYTES;
    if (!tokenFits || even || requested || additional) return 400;
    return { ipv4: true, ipv6: false, eitherSuffices: false, port: 'any', token };
  }
  if (requested && additional) return 400;
  if (requested && request.valueLength(ATTR_REQUESTED_ADDRESS_FAMILY) !== 4) return 400;
  const family = requested ? u8(request.bytes, request.value(ATTR_REQUESTED_ADDRESS_FAMILY)) : FAMILY_IPV4;
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return 440;
  if (additional && !asksForIPv6(request)) return 400;
  if (even && request.valueLength(ATTR_EVEN_PORT) !== 1) return 400;
  const pair = even && (u8(request.bytes, request.value(ATTR_EVEN_PORT)) & 0x80) !== 0;
  if (pair && additional) return 400;
  return {
    ipv4: additional || family === FAMILY_IPV4,
    ipv6: additional || family === FAMILY_IPV6,
    eitherSuffices: additional,
    port: pair ? 'even-pair' : even ? 'even' : 'any',
    token,
  };
}

function asksForIPv6(request: StunReader): boolean {
  if (request.valueLength(ATTR_ADDITIONAL_ADDRESS_FAMILY) !== 4) return false;
  return u8(request.bytes, request.value(ATTR_ADDITIONAL_ADDRESS_FAMILY)) === FAMILY_IPV6;
}

/**
 * The lifetime to grant, seconds: at least the default, at most the server's maximum (RFC 8656 §7.2);
 * undefined where LIFETIME is malformed. A Refresh asks for 0 to delete, which is its own affair.
 */
export function grantedLifetimeSeconds(request: StunReader, lifetimeSecondsMax: number): number | undefined {
  if (!request.has(ATTR_LIFETIME)) return LIFETIME_DEFAULT_SECONDS;
  if (request.valueLength(ATTR_LIFETIME) !== 4) return undefined;
  const asked = u32(request.bytes, request.value(ATTR_LIFETIME));
  return Math.max(LIFETIME_DEFAULT_SECONDS, Math.min(asked, lifetimeSecondsMax));
}
