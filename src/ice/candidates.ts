/** Candidates of our own, as SDP has them (RFC 8839 §5.1). Control plane. */
import { parseAddress } from '../wire/address.ts';

/** RFC 8445 §5.1.2.2. */
const HOST_TYPE_PREFERENCE = 126;

/**
 * The value of an `a=candidate` line for a host candidate over UDP.
 *
 * @param component 1: RTP, and RTCP where it is multiplexed; 2: RTCP
 * @param address IPv4 or IPv6 text, as the peer can reach it
 * @param localPreference 0–65535, higher is better; differs between addresses of one component
 * @throws RangeError if `address` is none
 */
export function hostCandidateLine(
  component: number,
  address: string,
  port: number,
  localPreference: number,
): string {
  const priority = hostPriority(component, localPreference);
  return `${hostFoundation(address)} ${component} UDP ${priority} ${address} ${port} typ host`;
}

/** RFC 8445 §5.1.2.1. */
function hostPriority(component: number, localPreference: number): number {
  return HOST_TYPE_PREFERENCE * 2 ** 24 + localPreference * 2 ** 8 + (256 - component);
}

/**
 * The same for all host candidates of an address, another for every other (RFC 8445 §5.1.1.3): the address
 * in hexadecimal, which just fits the 32 characters there are.
 */
function hostFoundation(address: string): string {
  const bytes = parseAddress(address);
  if (!bytes) throw new RangeError(`a candidate's address must be IPv4 or IPv6: got "${address}"`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
