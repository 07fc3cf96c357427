/** What passed an interface: UDP packets captured by tcpdump, and the RTP and SDP among them. */
import { readFile, stat } from 'node:fs/promises';
import { waitUntilReady } from '../harness.ts';
import { startBackground } from '../processes.ts';
import type { Network } from './network.ts';

/** Addresses as `address:port`. */
export interface UdpPacket {
  /** When it passed, in the time of Date.now(). */
  readonly timeMs: number;
  readonly source: string;
  readonly destination: string;
  readonly payload: Buffer;
}

/** An RTP packet (RFC 3550 §5.1) of a stream that `rtpOf` found; encrypted or not, the header is plain. */
export interface RtpPacket extends UdpPacket {
  readonly ssrc: number;
  readonly sequence: number;
  /** What stands behind the header: of SRTP, ciphertext and tag. */
  readonly media: Buffer;
}

export interface Capture {
  /** Ends the capture and gives what passed, in order. */
  stop(): Promise<readonly UdpPacket[]>;
}

/** Captures UDP on an interface of a namespace, into a file that is kept. */
export async function startCapture(
  network: Network,
  namespace: string,
  networkInterface: string,
  file: string,
): Promise<Capture> {
  const [command, ...args] = network.within(namespace);
  const tcpdump = startBackground(command, [
    ...args,
    // At once: what the kernel has not handed over when the capture ends would be missing.
    ...['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-i', networkInterface, '-w', file, 'udp'],
  ]);
  // tcpdump writes the file's header when it has begun to listen.
  await waitUntilReady(tcpdump, async () => (await sizeOf(file)) > 0);
  return {
    async stop() {
      await tcpdump.stop();
      return udpPackets(await readFile(file));
    },
  };
}

/**
 * RTP packets that went from an address (without port) to another: version 2 and not RTCP (RFC 5761 §4).
 * SIP and STUN are none.
 */
export function rtpOf(packets: readonly UdpPacket[], from: string, to: string): RtpPacket[] {
  return packets
    .filter(({ source, destination }) => source.startsWith(`${from}:`) && destination.startsWith(`${to}:`))
    .flatMap((packet) => rtpPacket(packet) ?? []);
}

/** The packet as RTP; undefined where it is something else. */
export function rtpPacket(packet: UdpPacket): RtpPacket | undefined {
  const { payload } = packet;
  if (payload.length < 12 || payload.readUInt8(0) >> 6 !== 2) return undefined;
  const type = payload.readUInt8(1);
  if (type >= 192 && type <= 223) return undefined;
  const headerLength = 12 + 4 * (payload.readUInt8(0) & 0x0f);
  return {
    ...packet,
    ssrc: payload.readUInt32BE(8),
    sequence: payload.readUInt16BE(2),
    media: payload.subarray(headerLength),
  };
}

/** SDP bodies of the SIP messages that went from an address to another, each once, in order. */
export function sdpOf(packets: readonly UdpPacket[], from: string, to: string): readonly string[] {
  const bodies = packets
    .filter(({ source, destination }) => source === `${from}:5060` && destination.startsWith(`${to}:`))
    .map(({ payload }) => payload.toString('latin1').split('\r\n\r\n', 2)[1] ?? '')
    .filter((body) => body.startsWith('v=0'));
  return [...new Set(bodies)];
}

/** Entropy of bytes in bits per byte, 0–8: G.711 of a tone stays below 6.5, ciphertext is close to 8. */
export function entropyOf(bytes: Uint8Array): number {
  const counts = new Array<number>(256).fill(0);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  return counts.reduce((sum, count) => {
    const share = count / bytes.length;
    return count === 0 ? sum : sum - share * Math.log2(share);
  }, 0);
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

/** Of a little-endian pcap file of Ethernet frames: IPv4 without fragments. */
function udpPackets(file: Buffer): UdpPacket[] {
  const packets: UdpPacket[] = [];
  let at = PCAP_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const length = file.readUInt32LE(at + 8);
    const timeMs = file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000;
    const frame = file.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    at += RECORD_HEADER_BYTES + length;
    const packet = udpPacket(frame, timeMs);
    if (packet !== undefined) packets.push(packet);
  }
  return packets;
}

function udpPacket(frame: Buffer, timeMs: number): UdpPacket | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES + 28 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4)
    return undefined;
  const ip = frame.subarray(ETHERNET_HEADER_BYTES);
  const udp = ip.subarray(4 * (ip.readUInt8(0) & 0x0f));
  return {
    timeMs,
    source: `${ip.subarray(12, 16).join('.')}:${udp.readUInt16BE(0)}`,
    destination: `${ip.subarray(16, 20).join('.')}:${udp.readUInt16BE(2)}`,
    payload: udp.subarray(8, udp.readUInt16BE(4)),
  };
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_HEADER_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
