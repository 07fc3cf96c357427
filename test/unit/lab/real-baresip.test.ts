/** What is read from baresip's log; the texts are those of baresip 1.0.0, shortened. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Baresip, type BaresipSettings } from '../../../lab/real/baresip.ts';
import type { Program } from '../../../lab/real/program.ts';

const REGISTERED = 'home@198.51.100.10: {0/UDP/v4} 200 OK () [1 binding]\n';

const INVITE = `#
UDP 192.168.1.11:5060 -> 198.51.100.10:5060
INVITE sip:other@198.51.100.10 SIP/2.0
Call-ID: cafe8beffb1aa2f7
CSeq: 40408 INVITE

a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 12898 typ host
a=candidate:c0a8010b 2 UDP 2113929470 192.168.1.11 12899 typ host
a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 12898 typ srflx raddr 192.168.1.11 rport 12898

`;

const ANSWER = `#
UDP 198.51.100.10:5060 -> 192.168.1.11:5060
SIP/2.0 200 Answering
Call-ID: cafe8beffb1aa2f7

a=candidate:c0a8010c 1 UDP 2113929471 192.168.1.12 19050 typ host

call: got SDP answer (1017 bytes)
\u001b[32mhome@198.51.100.10: Call established: sip:other@198.51.100.10\u001b[;m
`;

const ICE = "stream: mnat 'ice' connected: raddr 192.168.1.12:19050 192.168.1.12:19051\n";

const END = `home@198.51.100.10: Call with sip:other@198.51.100.10 terminated (duration: 14 secs)

audio           Transmit:     Receive:
packets:            478          362
avg. bitrate:      64.0         64.0  (kbit/s)
errors:               0            3
pkt.report:         366          250
lost:                 7            2
jitter:             0.8          1.2  (ms)
`;

let directory: string;
/** What baresip has said, what it was told, and how it has ended. */
let said: string;
let told: string;
let end: string | undefined;

const program: Program = {
  output: () => said,
  end: () => end,
  write: (text) => {
    told += text;
  },
  stop: async () => {
    end = 'stopped';
  },
};

function start(more: Partial<BaresipSettings> = {}): Promise<Baresip> {
  return Baresip.start(() => program, {
    ...{ name: 'home', address: '192.168.1.11', sipPort: 5060, rtpPorts: [40_000, 40_999], toneHz: 440 },
    ...{ proxyAddress: '198.51.100.10', isEncrypted: true, directory, ...more },
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-baresip-'));
  [said, told, end] = [REGISTERED, '', undefined];
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('baresip', () => {
  it('that ends before it is registered is told with its last words', async () => {
    said = 'tcp: sock_bind: Address already in use\nua: init failed\n';
    end = 'exit code 1';
    await expect(start()).rejects.toThrow(
      'registration of home: it has ended: tcp: sock_bind: Address already in use | ua: init failed',
    );
  });

  it('tells its call’s ID, its own candidates for RTP, and where ICE has it send', async () => {
    const phone = await start();
    expect([phone.callId(), phone.selectedRemote(), phone.candidates()]).toEqual([undefined, undefined, []]);
    said += INVITE + ANSWER + ICE;
    expect(phone.callId()).toBe('cafe8beffb1aa2f7');
    expect(phone.selectedRemote()).toEqual({ address: '192.168.1.12', port: 19_050 });
    expect(phone.candidates()).toEqual([
      { address: '192.168.1.11', port: 12_898, type: 'host' },
      { address: '203.0.113.2', port: 12_898, type: 'srflx' },
    ]);
  });

  it('reports what it has sent and heard when the call has ended', async () => {
    const phone = await start();
    said += INVITE + ANSWER;
    expect(phone.callsEstablished()).toBe(1);
    expect(phone.callsEnded()).toBe(0);
    expect(phone.reception()).toEqual({
      ...{ sentPackets: Number.NaN, heardPackets: Number.NaN, errors: Number.NaN },
      ...{ reportedPackets: Number.NaN, lostPackets: Number.NaN },
    });
    said += END;
    expect(phone.callsEnded()).toBe(1);
    expect(phone.reception()).toEqual({
      ...{ sentPackets: 478, heardPackets: 362, errors: 3, reportedPackets: 250, lostPackets: 2 },
    });
  });

  it('that is refused when it calls says so', async () => {
    const phone = await start();
    const dialled = phone.dial('sip:other@198.51.100.10');
    said += 'sip:other@198.51.100.10: session closed: 404 Not Found\n';
    await expect(dialled).rejects.toThrow(
      /^call of home to sip:other@198\.51\.100\.10 refused: .*404 Not Found$/,
    );
    expect(told).toBe('/dial sip:other@198.51.100.10\n');
  });

  it.each([
    ['no ICE', {}, /^<sip:home@198\.51\.100\.10>;regint=60;.*;mediaenc=srtp-mand\n$/],
    ['plain RTP', { isEncrypted: false }, /;audio_codecs=PCMU\/8000\/1\n$/],
    [
      'STUN alone',
      { ice: { server: { address: '198.51.100.10', port: 3478 } } },
      /;medianat=ice;stunserver=stun:198\.51\.100\.10:3478\n$/,
    ],
    [
      'TURN',
      {
        ice: {
          server: { address: '198.51.100.10', port: 3478 },
          user: { username: 'phone', password: 'secret' },
        },
      },
      /;medianat=ice;stunserver=turn:198\.51\.100\.10:3478;stunuser=phone;stunpass=secret\n$/,
    ],
  ])('has an account with %s', async (_what, settings, account) => {
    await start(settings);
    expect(await readFile(join(directory, 'accounts'), 'utf8')).toMatch(account);
  });
});
