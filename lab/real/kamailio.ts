/** Kamailio as the SIP proxy beside the media plane, with the configuration that users are given. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Side } from '../media-plane/media-plane.ts';
import type { LabNetwork } from '../network/network.ts';
import { projectFile } from '../project.ts';
import { OPERATOR_ADDRESS, PLACES } from '../topology.ts';
import { type Program, programsIn } from './program.ts';
import { waitFor } from './wait.ts';

const [OUTSIDE, INSIDE = ''] = PLACES.edge.addresses;
const SIP_PORT = 5060;
/** Where the media plane hears the ng protocol, beside the proxy. */
const CAUSEWAY = 'udp:127.0.0.1:2223';

const START_MS_MAX = 15_000;
const ANSWER_MS_MAX = 200;

/** Address of the proxy for phones of each side. */
export const PROXY_ADDRESSES: Readonly<Record<Side, string>> = { inside: INSIDE, outside: OUTSIDE };

/** Starts the proxy in the place `edge`, and waits until it answers. */
export async function startKamailio(network: LabNetwork, directory: string): Promise<Program> {
  const runtime = join(directory, 'kamailio');
  await mkdir(runtime, { recursive: true });
  const definitions = { EXTERNAL_IP: OUTSIDE, INTERNAL_IP: INSIDE, CAUSEWAY };
  const start = programsIn(network, 'edge', join(directory, 'kamailio.log'));
  const program = start('kamailio', [
    ...['-DD', '-E', '-m', '32', '-M', '8', '-Y', runtime, '-f', projectFile('examples/kamailio.cfg')],
    ...Object.entries(definitions).flatMap(([name, value]) => ['-A', `${name}="${value}"`]),
  ]);
  try {
    await waitFor('start of Kamailio', answersOptions, { program, timeoutMs: START_MS_MAX });
    return program;
  } catch (error) {
    await program.stop();
    throw error;
  }
}

/** Whether the proxy answers a request from the office. It opens all its sockets before it reads from any. */
async function answersOptions(): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, OPERATOR_ADDRESS);
    await once(socket, 'listening');
    const { port } = socket.address();
    const request = [
      `OPTIONS sip:lab@${INSIDE} SIP/2.0`,
      `Via: SIP/2.0/UDP ${OPERATOR_ADDRESS}:${port};branch=z9hG4bK${port};rport`,
      'Max-Forwards: 1',
      `From: <sip:lab@${INSIDE}>;tag=${port}`,
      `To: <sip:lab@${INSIDE}>`,
      `Call-ID: ${port}`,
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
    ];
    socket.send(`${request.join('\r\n')}\r\n\r\n`, SIP_PORT, INSIDE);
    const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return String(reply).startsWith('SIP/2.0 ');
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
