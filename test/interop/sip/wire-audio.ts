/** The audio of captured packets, decoded as one who listens on the wire would, with and without the key. */
import { join } from 'node:path';
import { listen, PCMU_RATE_HZ, type Sound } from '../../../lab/real/recording.ts';
import { DEBIAN_PYTHON } from '../harness.ts';
import { run } from '../processes.ts';
import { type RtpPacket, rtpPacket, type UdpPacket } from './capture.ts';

const OPEN_TIMEOUT_MS = 20_000;

/** What a description says of its audio line: the port, and the master keys offered, by suite. */
export interface AudioLine {
  readonly port: number;
  readonly protocol: string;
  /** Keys with salts as they stand after `inline:`, in the order of the a=crypto lines. */
  readonly keys: ReadonlyMap<string, string>;
}

/** @throws Error when there is no audio line */
export function audioLineOf(sdp: string): AudioLine {
  const line = sdp.match(/^m=audio (\d+) (\S+)/m);
  if (line === null) throw new Error(`no audio line in\n${sdp}`);
  const keys = [...sdp.matchAll(/^a=crypto:\d+ (\S+) inline:([^|\s]+)/gm)];
  return {
    port: Number(line[1]),
    protocol: line[2] ?? '',
    keys: new Map(keys.map(([, suite, key]) => [suite ?? '', key ?? ''])),
  };
}

/** Listens to G.711 µ-law packets for a tone. */
export function soundOf(packets: readonly RtpPacket[], toneHz: number): Sound {
  return listen(decodePcmu(Buffer.concat(packets.map((packet) => packet.media))), PCMU_RATE_HZ, toneHz);
}

/**
 * Opens the packets of one direction with libsrtp, as one receiver with one key for all of them.
 * @throws Error when libsrtp refuses one
 */
export async function openSrtp(
  packets: readonly RtpPacket[],
  suite: string,
  key: string,
): Promise<RtpPacket[]> {
  const request = { suite, key, packets: packets.map((packet) => packet.payload.toString('base64')) };
  const result = await run(DEBIAN_PYTHON, [join(import.meta.dirname, 'open_srtp.py')], OPEN_TIMEOUT_MS, {
    input: JSON.stringify(request),
  });
  if (result.exitCode !== 0) throw new Error(`libsrtp with ${suite}: ${result.output}`);
  const opened = (JSON.parse(result.output) as { packets: readonly string[] }).packets;
  return packets.flatMap((packet: UdpPacket, index) => {
    return rtpPacket({ ...packet, payload: Buffer.from(opened[index] ?? '', 'base64') }) ?? [];
  });
}

/** ITU-T G.711, table 2b: complemented bits of sign, exponent (3) and mantissa (4). */
function decodePcmu(bytes: Uint8Array): Int16Array {
  return Int16Array.from(bytes, (byte) => {
    const code = ~byte & 0xff;
    const exponent = (code >> 4) & 0x07;
    const magnitude = ((((code & 0x0f) << 3) + 0x84) << exponent) - 0x84;
    return (code & 0x80) === 0 ? magnitude : -magnitude;
  });
}
