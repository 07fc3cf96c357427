import { describe, expect, it } from 'vitest';
import type { CallRow, LabEvent } from '../../../lab/events.ts';
import { changeLines, resultLine } from '../../../lab/view/lines-view.ts';
import type { Afterwards } from '../../../lab/view/output.ts';
import { createView, type ViewKind } from '../../../lab/view/view.ts';
import { callRow, labRun, labRunWithFaults, labRunWithWrongCall, resultOf, rowsOf } from './lab-run.ts';

function shown(kind: ViewKind, events: readonly LabEvent[], afterwards: Afterwards = 'stays'): string {
  let written = '';
  // Colours are wanted, and there are none where there is no terminal.
  const view = createView(kind, { write: (text) => (written += text) }, { hasColours: true, afterwards });
  for (const event of events) view.listener(event);
  view.close();
  return written;
}

describe('the view in lines', () => {
  it('has a line for each thing that happens', () => {
    const [happened] = shown('lines', labRunWithWrongCall()).split('\n\n');
    expect(happened).toMatchInlineSnapshot(`
      "network: simulated (unshare: Operation not permitted)
      media plane: Causeway, an edge and a core node
      status pages: http://127.0.0.1:40123/
      step 1 of 2: Homes that let anyone in
      call 1  homeA → homeA2  answered
      call 2  homeA → homeB  answered
      call 3  homeA → desk  answered
      call 1  homeA → homeA2  path host 192.168.1.11:40000 ↔ host 192.168.1.12:44000
      call 2  homeA → homeB  path srflx 203.0.113.2:40001 ↔ srflx 203.0.113.18:40000
      call 3  homeA → desk  path through the media plane
      call 1  homeA → homeA2  (endpoint-independent, endpoint-independent)  expected host_to_host  got host_to_host  verified  loss 0.0 %/0.0 %  right
      call 2  homeA → homeB  (endpoint-independent, endpoint-independent)  expected srflx_to_srflx  got srflx_to_relay  verified  loss 0.0 %/0.0 %  wrong
      call 2  problem: expected srflx_to_srflx, the media plane recorded srflx_to_relay (no reason)
      call 3  homeA → desk  (endpoint-independent, no NAT)  expected none  got none  verified  loss 0.0 %/0.0 %  right
      note: nobody touches anything
      step 2 of 2: Home B lets no UDP out
      call 4  internet → homeB  answered
      call 4  internet → homeB  path host 192.0.2.50:40000 ↔ relay 198.51.100.10:24002
      call 4  internet → homeB  (no NAT, udp-blocked)  expected host_to_relay  got host_to_relay  verified  loss 0.0 %/0.0 %  right"
    `);
  });

  it('ends with the whole table, whatever its width, the metrics and the verdict', () => {
    const [, ...end] = shown('lines', labRunWithFaults(), 'ends').split('\n\n');
    expect(end.join('\n\n')).toMatchInlineSnapshot(`
      "#  from      to        expected        got             evidence  state     fault                   loss       path                                                B2BUA    heard    NATs                       ICE
      1  homeA     homeA2    host_to_host    host_to_host    verified  right     unharmed                0.0/0.0 %  host 192.168.1.11:40000 ↔ host 192.168.1.12:44000   17/17    400/400  both endpoint-independent  full, werift
      2  homeA     homeB     srflx_to_srflx  srflx_to_srflx  verified  right     recovered after 12.3 s  0.0/0.0 %  srflx 203.0.113.2:40001 ↔ srflx 203.0.113.18:40000  17/17    400/400  both endpoint-independent  both full
      3  homeA     desk      none            none            verified  right     unharmed                0.0/0.0 %  through the media plane                             400/400  400/400  endpoint-independent, –    full, none
      4  internet  homeB     host_to_relay   host_to_relay   verified  right     recovered after 2.0 s   0.0/0.0 %  host 192.0.2.50:40000 ↔ relay 198.51.100.10:24002   17/17    400/400  –, udp-blocked             both full

      ICE metrics, 2026-03-01 10:00 to 2026-03-02 10:00 UTC
        B2BUA connected calls                             4
        Calls with optimized ICE media paths              3
        Host to host                                      1
        Host to server reflexive                          0
        Host to relay                                     1
        Server reflexive to server reflexive              1
        Server reflexive to relay                         0
        Relay to relay                                    0
        Calls with required Expressway ICE configuration  3
        Calls with non-optimized media paths              1

      4 of 4 calls took the expected path

      What to do next
        other NATs      npm run lab -- --scenario nats
        faults          npm run lab -- --scenario faults
        your scenario   npm run lab -- --scenario FILE, as lab/scenarios/example.yaml
        real peers      npm run lab -- --peers real
        your phone      npm start, on this host; then the phone’s TURN server is
                        turn:HOST:3478, and the SIP proxy’s rtpengine_sock
                        udp:127.0.0.1:2223; more in README.md
      "
    `);
  });

  it('tells of a call that is interrupted and talks again', () => {
    const talking = { ...callRow('1', PLAN), state: 'talking', path: 'a ↔ b' } as const;
    const interrupted: CallRow = { ...talking, state: 'interrupted' };
    const again: CallRow = { ...talking, path: 'a ↔ c', fault: 'recovered after 2.0 s' };
    expect(changeLines(undefined, talking)).toEqual([`${CALL}  answered`, `${CALL}  path a ↔ b`]);
    expect(changeLines(talking, { ...talking })).toEqual([]);
    expect(changeLines(talking, interrupted)).toEqual([`${CALL}  interrupted`]);
    expect(changeLines(interrupted, again)).toEqual([
      `${CALL}  path a ↔ c`,
      `${CALL}  talks again`,
      `${CALL}  after the fault: recovered after 2.0 s`,
    ]);
  });

  it('says of a call that failed what nobody knows', () => {
    const failed: CallRow = {
      ...callRow('1', PLAN),
      state: 'failed',
      isRight: false,
      problems: ['no\nanswer'],
    };
    const result =
      `${CALL}  (endpoint-independent, no NAT)  expected none  got nothing  no evidence  ` +
      'loss unknown/unknown  wrong';
    expect(resultLine(failed)).toBe(result);
    expect(changeLines(callRow('1', PLAN), failed)).toEqual([result, 'call 1  problem: no answer']);
  });

  it('has no control characters but the ends of lines', () => {
    expect(shown('lines', labRunWithWrongCall())).toMatch(/^(?:\P{Cc}|\n)*$/u);
  });
});

describe('the view in JSON', () => {
  it('is the result and nothing else', () => {
    expect(JSON.parse(shown('json', labRunWithWrongCall()))).toEqual(resultOf(labRunWithWrongCall()));
  });

  it('is empty where the run has no result', () => {
    expect(shown('json', labRun().slice(0, -1))).toBe('');
  });
});

const PLAN = { from: 'homeA', to: 'desk', expected: 'none', path: '' } as const;
const CALL = 'call 1  homeA → desk';

it('the run of these tests has calls', () => {
  expect(rowsOf(labRun())).toHaveLength(4);
});
