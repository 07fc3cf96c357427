/** The addresses of this host, and what a wildcard address stands for. Pure: the interfaces are an argument. */
import type { NetworkInterfaceInfo } from 'node:os';
import { canonicalAddress } from '../config/rules.ts';

/** As `os.networkInterfaces()` gives them. */
export type HostInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** The host's addresses of both families, without link-local ones, which need a zone to be of use. */
export function hostAddressesOf(host: HostInterfaces): string[] {
  const addresses = Object.values(host)
    .flatMap((infos) => infos ?? [])
    .map((info) => info.address)
    .filter((address) => !/^fe[89ab]/i.test(address));
  return [...new Set(addresses)];
}

/** An unspecified address stands for all of the host's: each gets a socket, so that answers leave from where requests came to. */
export function expandAddress(address: string, hostAddresses: readonly string[]): string[] {
  const text = canonicalAddress(address) ?? address;
  if (text === '0.0.0.0') return hostAddresses.filter((one) => !one.includes(':'));
  if (text === '::') return hostAddresses.filter((one) => one.includes(':'));
  return [text];
}
