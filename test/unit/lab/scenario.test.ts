import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LabError } from '../../../lab/lab-error.ts';
import { loadScenario, readScenario } from '../../../lab/scenario/read-scenario.ts';
import type { Scenario } from '../../../lab/scenario/scenario.ts';

const SCENARIOS = join(import.meta.dirname, '../../../lab/scenarios');

const CALL = '{ from: homeA, to: homeB, expect: srflx_to_srflx }';

/** A scenario of one step, of one call where nothing else is given. */
function scenario(step: string, more = ''): string {
  const calls = step.includes('calls:') ? '' : `, calls: [${CALL}]`;
  return `{ title: T, steps: [{ title: S${step && `, ${step}`}${calls} }]${more && `, ${more}`} }`;
}

const calling = (call: string, step = ''): string => scenario(`calls: [{ ${call} }]${step && `, ${step}`}`);

const TURN = 'turn: { server: "198.51.100.10:3478", username: u, password: p }, ';
const PLANE = 'mediaPlane: { ng: "udp:10.10.0.10:2223", directions: { outside: a, inside: b } }';
const FOREIGN = TURN + PLANE;

function linesOf(text: string): readonly string[] {
  try {
    loadScenario(text, 's.yaml');
    return [];
  } catch (error) {
    if (error instanceof LabError)
      return error.message.split('\n').map((line) => line.replace(/^s\.yaml: /, ''));
    throw error;
  }
}

describe('the scenario files', () => {
  const files = readdirSync(SCENARIOS);

  it('are those that the lab names', () => {
    const named = ['example.yaml', 'faults.yaml', 'nats.yaml', 'paths.yaml', 'rtpengine-coturn.yaml'];
    expect(files).toEqual(expect.arrayContaining(named));
  });

  it.each(files)('%s can be read', (file) => {
    expect(readScenario(join(SCENARIOS, file)).steps.length).toBeGreaterThan(0);
  });

  it('have every kind of path in the one that is run by default', () => {
    const calls = readScenario(join(SCENARIOS, 'paths.yaml')).steps.flatMap((step) => step.calls);
    expect(calls).toHaveLength(7);
    expect(new Set(calls.map(({ expect: type }) => type)).size).toBe(7);
    expect(calls.every(({ evidence }) => evidence === 'verified')).toBe(true);
  });

  it('have every kind of fault in that of faults', () => {
    const kinds = readScenario(join(SCENARIOS, 'faults.yaml')).steps.map(({ fault }) => fault?.kind);
    expect([...new Set(kinds)]).toEqual([
      'media-plane-restart',
      'nat-rebinding',
      'loss',
      'turn-credentials-removed',
    ]);
  });
});

describe('a scenario', () => {
  it('has defaults for all that is not written', () => {
    const end = { ice: 'full', encryption: 'AES_CM_128_HMAC_SHA1_80', turn: true };
    const expected: Scenario = {
      title: 'T',
      talkSeconds: 7,
      steps: [
        {
          title: 'S',
          nats: { A: 'endpoint-independent', B: 'endpoint-independent' },
          calls: [
            {
              title: 'homeA → homeB',
              from: { place: 'homeA', ...end } as Scenario['steps'][0]['calls'][0]['from'],
              to: { place: 'homeB', ...end } as Scenario['steps'][0]['calls'][0]['to'],
              expect: 'srflx_to_srflx',
              evidence: 'verified',
              lossPercentMax: 1,
            },
          ],
        },
      ],
    };
    expect(loadScenario(scenario(''), 's.yaml')).toEqual(expected);
  });

  const onlyCall = (text: string) => loadScenario(text, 's.yaml').steps[0]?.calls[0];

  it('takes a phone in the office for one without ICE and keys', () => {
    const to = { place: 'desk', ice: 'none', encryption: 'none', turn: false };
    expect(onlyCall(calling('from: homeA, to: desk, expect: none'))?.to).toEqual(to);
  });

  it('keeps what is written of an end, and defaults the rest', () => {
    const call = onlyCall(
      calling('from: { place: homeA, ice: werift, turn: false }, to: desk, expect: none'),
    );
    const from = { place: 'homeA', ice: 'werift', encryption: 'AES_CM_128_HMAC_SHA1_80', turn: false };
    expect(call?.from).toEqual(from);
  });

  it('expects calls to come through a fault unharmed, and more loss where that is the fault', () => {
    const rebinding = onlyCall(scenario('fault: { kind: nat-rebinding, home: A }'));
    expect(rebinding).toMatchObject({ afterFault: 'unharmed', lossPercentMax: 1 });
    const loss = onlyCall(scenario('fault: { kind: loss, home: B, percent: 5, seconds: 10 }'));
    expect(loss).toMatchObject({ afterFault: 'unharmed', lossPercentMax: 25 });
    const written = `fault: { kind: nat-rebinding, home: A }`;
    const call = 'from: homeA, to: homeB, expect: none, afterFault: lost, lossPercentMax: 3';
    expect(onlyCall(calling(call, written))).toMatchObject({ afterFault: 'lost', lossPercentMax: 3 });
  });

  it('has credentials back after ten seconds', () => {
    const [step] = loadScenario(scenario('fault: { kind: turn-credentials-removed }'), 's.yaml').steps;
    expect(step?.fault).toEqual({ kind: 'turn-credentials-removed', seconds: 10 });
  });

  it('asks no evidence of another media plane', () => {
    expect(onlyCall(scenario('', FOREIGN))?.evidence).toBe('any');
  });

  it('takes ng keys of all kinds that the protocol has', () => {
    const keys = 'offer: { replace: [origin], ICE: remove, TOS: 184, codec: { strip: [all] } }';
    const { mediaPlane } = loadScenario(scenario('', FOREIGN.replace(/ }$/, `, ${keys} }`)), 's.yaml');
    expect(mediaPlane?.offer).toEqual({
      replace: ['origin'],
      ICE: 'remove',
      TOS: 184,
      codec: { strip: ['all'] },
    });
  });

  it('is frozen', () => {
    const loaded = loadScenario(scenario(''), 's.yaml');
    expect(Object.isFrozen(loaded.steps[0]?.calls[0]?.from)).toBe(true);
  });
});

const PLACES = 'must be desk, internet, homeA, homeA2 or homeB';
const KEYS = 'must be text, a whole number, or a list or mapping of them';
const NG =
  'must be udp:ADDRESS:PORT with an IPv4 address, or the http or https URL of a POST /ng without a user';
const PATH = 'steps[0].calls[0]';

const REFUSED: readonly (readonly [text: string, line: string])[] = [
  ['', 'the scenario: must be a mapping of settings: got null'],
  ['[1]', 'the scenario: must be a mapping of settings: got [1]'],
  ['title: T', 'steps: is required and must be a list of 1 to 50 steps'],
  ['{ title: T, steps: [] }', 'steps: must be a list of 1 to 50 steps: got []'],
  [scenario('', 'step: 1'), 'step: unknown key; did you mean steps?'],
  [scenario('', 'talkSeconds: 2'), 'talkSeconds: must be a number from 3 to 3600: got 2'],
  [scenario('calls: []'), 'steps[0].calls: must be a list of 1 to 20 calls: got []'],
  [
    scenario(`calls: [${Array(21).fill(CALL).join()}]`),
    'steps[0].calls: must be a list of 1 to 20 calls: got a list',
  ],
  [
    scenario('nats: { A: open }'),
    'steps[0].nats.A: must be endpoint-independent, port-restricted, symmetric or udp-blocked: got "open"',
  ],
  [scenario('nats: { C: symmetric }'), 'steps[0].nats.C: unknown key; did you mean steps[0].nats.A?'],
  [calling('from: nowhere, to: homeB, expect: none'), `${PATH}.from: ${PLACES}: got "nowhere"`],
  [calling('from: 3, to: homeB, expect: none'), `${PATH}.from: ${PLACES}: got 3`],
  [calling('to: homeB, expect: none'), `${PATH}.from: is required and ${PLACES}`],
  [calling('from: { place: x }, to: homeB, expect: none'), `${PATH}.from.place: ${PLACES}: got "x"`],
  [calling('from: { ice: none }, to: homeB, expect: none'), `${PATH}.from.place: is required and ${PLACES}`],
  [
    calling('from: { place: homeA, ise: none }, to: homeB, expect: none'),
    `${PATH}.from.ise: unknown key; did you mean ${PATH}.from.ice?`,
  ],
  [
    calling('from: homeA, to: homeB, expect: relay'),
    `${PATH}.expect: must be none, host_to_host, host_to_srflx, host_to_relay, srflx_to_srflx, srflx_to_relay ` +
      'or relay_to_relay: got "relay"',
  ],
  [
    calling('from: homeA, to: homeA, expect: none'),
    `${PATH}.to: must be another place than from: got "homeA"`,
  ],
  [
    calling('from: homeA, to: { place: homeB, ice: none }, expect: srflx_to_srflx'),
    `${PATH}.expect: must be none where an end has no ICE: got "srflx_to_srflx"`,
  ],
  [
    calling('from: homeA, to: { place: desk, ice: full }, expect: srflx_to_srflx'),
    `${PATH}.expect: must be none with the desk, which the lab’s nodes do not offer ICE to: got "srflx_to_srflx"`,
  ],
  [
    calling('from: homeA, to: { place: homeB, turn: false }, expect: relay_to_relay'),
    `${PATH}.expect: must have no more relays than ends with turn: got "relay_to_relay"`,
  ],
  [
    calling('from: homeA, to: homeB, expect: host_to_srflx'),
    `${PATH}.expect: must have host for an end on the internet alone, unless both are in one home: ` +
      'got "host_to_srflx"',
  ],
  [
    calling('from: internet, to: homeB, expect: host_to_srflx', 'nats: { B: udp-blocked }'),
    `${PATH}.expect: must have a relay for each end whose home lets no UDP out: got "host_to_srflx"`,
  ],
  [scenario('', PLANE), 'turn: must be given beside mediaPlane, in whose place no node of the lab runs'],
  [
    calling('from: homeA, to: homeB, expect: none, afterFault: lost'),
    `${PATH}.afterFault: must be left out where the step has no fault: got "lost"`,
  ],
  [
    scenario('fault: { kind: fire }'),
    'steps[0].fault.kind: must be media-plane-restart, nat-rebinding, loss or turn-credentials-removed: got "fire"',
  ],
  [scenario('fault: loss'), 'steps[0].fault: must be a mapping of settings: got "loss"'],
  [
    scenario('fault: { kind: loss, home: A, percent: 101, seconds: 1 }'),
    'steps[0].fault.percent: must be a number from 0 to 100: got 101',
  ],
  [scenario('fault: { kind: nat-rebinding, home: A, after: 1 }'), 'steps[0].fault.after: unknown key'],
  [
    calling('from: internet, to: homeA, expect: host_to_srflx', 'fault: { kind: nat-rebinding, home: B }'),
    'steps[0].fault.home: must be the home of a phone that calls in this step: got "B"',
  ],
  [
    scenario('fault: { kind: media-plane-restart, node: core }', FOREIGN),
    'steps[0].fault.kind: must be one that needs no node of the lab, beside mediaPlane and turn: ' +
      'got "media-plane-restart"',
  ],
  [
    scenario('', FOREIGN.replace('udp:10.10.0.10', 'udp:[::1]')),
    `mediaPlane.ng: ${NG}: got "udp:[::1]:2223"`,
  ],
  [scenario('', FOREIGN.replace('udp:10.10.0.10', 'tcp:x')), `mediaPlane.ng: ${NG}: got "tcp:x:2223"`],
  [scenario('', FOREIGN.replace('udp:', 'http://u:secret@')), `mediaPlane.ng: ${NG}: got a URL with a user`],
  [
    scenario('', FOREIGN.replace(/ }$/, ', token: abc }')),
    'mediaPlane.token: must be left out where ng is udp',
  ],
  [scenario('', FOREIGN.replace(/ }$/, ', offer: { a: [1.5] } }')), `mediaPlane.offer.a: ${KEYS}: got [1.5]`],
  [
    scenario('', FOREIGN.replace(/ }$/, ', answer: { sdp: x } }')),
    'mediaPlane.answer.sdp: the key is the lab’s own',
  ],
  [
    scenario('', 'turn: { server: turn.example, username: u, password: p }'),
    'turn.server: must be ADDRESS:PORT with an IPv4 address: got "turn.example"',
  ],
  [
    scenario('', `turn: { server: "1.2.3.4:5", username: u, password: ${'p'.repeat(257)} }`),
    'turn.password: must be text of 1 to 256 characters on one line: got 257 characters',
  ],
  [
    'title: [',
    'line 1, column 9: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
];

describe('a scenario is refused in one line that names key, rule and value', () => {
  it.each(REFUSED)('%s', (text, line) => {
    expect(linesOf(text)).toContain(line);
    expect(linesOf(text)).toHaveLength(1);
  });

  it('with all that is wrong at once', () => {
    const lines = linesOf(calling('from: x, to: y, expect: z'));
    expect(lines).toHaveLength(3);
  });

  it('and with the name of the file', () => {
    expect(() => readScenario('/nonexistent/s.yaml')).toThrow('/nonexistent/s.yaml: cannot be read (ENOENT)');
    expect(() => loadScenario('title: T', 's.yaml')).toThrow('s.yaml: steps: is required');
  });
});
