import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LabEvent } from '../../../lab/events.ts';
import { callTable } from '../../../lab/view/call-table.ts';
import { withoutColours } from '../../../lab/view/colours.ts';
import { cut } from '../../../lab/view/columns.ts';
import { endLines } from '../../../lab/view/end.ts';
import { mediaPlaneLines, networkLine } from '../../../lab/view/headings.ts';
import { createView, type View } from '../../../lab/view/view.ts';
import { labRun, labRunWithWrongCall, resultOf } from './lab-run.ts';
import { VirtualTerminal } from './virtual-terminal.ts';

/** Longer than the pause between two drawings. */
const LONG_MS = 1000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const live = (terminal: VirtualTerminal, hasColours = false): View =>
  createView('live', terminal, { hasColours, afterwards: 'stays' });

/** Each event shown before the next comes. */
function play(events: readonly LabEvent[], terminal: VirtualTerminal, hasColours = false): void {
  const view = live(terminal, hasColours);
  for (const event of events) {
    view.listener(event);
    vi.advanceTimersByTime(LONG_MS);
  }
  view.close();
}

describe('the live view', () => {
  it('shows what is under way', () => {
    const terminal = new VirtualTerminal(90, 24);
    play(labRunWithWrongCall().slice(0, 13), terminal);
    expect(terminal.text).toMatchInlineSnapshot(`
      "network: simulated (unshare: Operation not permitted)
      media plane: Causeway, an edge and a core node
      status pages: http://127.0.0.1:40123/
      step 1 of 2: Homes that let anyone in

      #  from      to        expected        got             evidence  state     loss
      1  homeA     homeA2    host_to_host    –               –         checking  0.0/0.0 %
      2  homeA     homeB     srflx_to_srflx  –               –         checking  –
      3  homeA     desk      none            –               –         checking  –"
    `);
  });

  it('leaves notes above and the table below when the run is over', () => {
    const terminal = new VirtualTerminal(90, 24);
    play(labRunWithWrongCall(), terminal);
    expect(terminal.text).toMatchInlineSnapshot(`
      "nobody touches anything
      network: simulated (unshare: Operation not permitted)
      media plane: Causeway, an edge and a core node
      status pages: http://127.0.0.1:40123/

      #  from      to        expected        got             evidence  state     loss
      1  homeA     homeA2    host_to_host    host_to_host    verified  right     0.0/0.0 %
      2  homeA     homeB     srflx_to_srflx  srflx_to_relay  verified  wrong     0.0/0.0 %
      3  homeA     desk      none            none            verified  right     0.0/0.0 %
      4  internet  homeB     host_to_relay   host_to_relay   verified  right     0.0/0.0 %

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

      3 of 4 calls took the expected path, 1 call is wrong
        call 2 (homeA → homeB): expected srflx_to_srflx, the media plane recorded srflx_to_relay
       (no reason)

      What to do next
        status pages    http://127.0.0.1:40123/ice-metrics
        metrics as CSV  curl http://127.0.0.1:40123/ice-metrics.csv
        other NATs      npm run lab -- --scenario nats
        faults          npm run lab -- --scenario faults
        your scenario   npm run lab -- --scenario FILE, as lab/scenarios/example.yaml
        real peers      npm run lab -- --peers real
        your phone      npm start, on this host; then the phone’s TURN server is
                        turn:HOST:3478, and the SIP proxy’s rtpengine_sock
                        udp:127.0.0.1:2223; more in README.md
      Ctrl-C ends the lab"
    `);
  });

  it.each([
    [60, 24],
    [80, 24],
    [120, 50],
    [200, 12],
    [80, 6],
    [20, 3],
  ])('erases exactly what it drew, on %i columns and %i rows', (columns, rows) => {
    const terminal = new VirtualTerminal(columns, rows);
    play(labRun(), terminal);
    // What stays, as if it had been written once.
    const width = columns - 1;
    const table = callTable(resultOf(labRun()).calls, width, withoutColours);
    const header = labRun().flatMap((event) => {
      if (event.event === 'network') return [networkLine(event)];
      return event.event === 'media-plane' ? mediaPlaneLines(event) : [];
    });
    const metrics = labRun().find((event) => event.event === 'metrics') ?? null;
    const end = endLines(resultOf(labRun()), metrics, 'stays', withoutColours);
    const plain = new VirtualTerminal(columns, rows);
    plain.write(
      ['nobody touches anything', ...header.map((line) => cut(line, width)), '', ...table, '', ...end].join(
        '\n',
      ),
    );
    expect(terminal.text).toBe(plain.text);
  });

  it('never draws a line that a terminal would break, before the end', () => {
    const terminal = new VirtualTerminal(70, 24);
    play(labRunWithWrongCall().slice(0, -1), terminal, true);
    for (const line of terminal.written.split('\n')) expect(stringWidth(line)).toBeLessThan(70);
  });

  it('erases as many rows as a terminal that was made narrower has of it', () => {
    let columns = 120;
    let written = '';
    const output = { write: (text: string) => (written = text), columns: () => columns, rows: () => 24 };
    const view = createView('live', output, { hasColours: false, afterwards: 'ends' });
    view.listener({ event: 'media-plane', name: 'x'.repeat(100), pageUrl: null });
    columns = 50;
    vi.advanceTimersByTime(LONG_MS);
    view.listener({ event: 'note', text: 'narrower' });
    // 113 columns are three rows of 50.
    expect(written).toBe(`${'\x1b[1A\x1b[2K'.repeat(3)}\rnarrower\n${`media plane: ${'x'.repeat(35)}`}…\n`);
  });

  it('draws at most ten times a second, and the last state in the end', () => {
    const terminal = new VirtualTerminal(90, 24);
    const view = live(terminal);
    const step = (number: number): LabEvent => ({ event: 'step', number, count: 1000, title: 'many' });
    for (let number = 1; number < 1000; number++) {
      view.listener(step(number));
      vi.advanceTimersByTime(1);
    }
    expect(terminal.writes).toBe(10);
    view.close();
    expect(terminal.text).toBe('step 999 of 1000: many');
  });

  it('draws nothing where nothing has changed', () => {
    const terminal = new VirtualTerminal(90, 24);
    const view = live(terminal);
    for (let i = 0; i < 3; i++) {
      view.listener({ event: 'step', number: 1, count: 1, title: 'the same' });
      vi.advanceTimersByTime(LONG_MS);
    }
    expect(terminal.writes).toBe(1);
  });

  it('writes notes of a lab that stays up below the end', () => {
    const terminal = new VirtualTerminal(90, 24);
    play([...labRun(), { event: 'note', text: 'a note' }], terminal);
    expect(terminal.text.split('\n').slice(-2)).toEqual(['Ctrl-C ends the lab', 'a note']);
  });

  it('is silent once it is closed', () => {
    const terminal = new VirtualTerminal(90, 24);
    const view = live(terminal);
    view.close();
    view.close();
    for (const event of labRun()) view.listener(event);
    vi.advanceTimersByTime(LONG_MS);
    expect(terminal.written).toBe('');
  });

  it('has no control sequence but its own two without colours, and the same text with them', () => {
    const bare = new VirtualTerminal(100, 24);
    const coloured = new VirtualTerminal(100, 24);
    play(labRunWithWrongCall(), bare);
    play(labRunWithWrongCall(), coloured, true);
    const sequences = new Set(
      bare.written
        .split('\x1b')
        .slice(1)
        .map((text) => /^\[\d*./.exec(text)?.[0]),
    );
    const withoutCounts = [...sequences].map((text) => text?.replace(/\d+/, 'N'));
    expect([...new Set(withoutCounts)].sort()).toEqual(['[NA', '[NK']);
    expect(coloured.written).toContain('\x1b[31mwrong\x1b[39m');
    expect(stripVTControlCharacters(coloured.written)).toBe(stripVTControlCharacters(bare.written));
  });

  it('takes no control sequences from titles and problems', () => {
    const terminal = new VirtualTerminal(100, 24);
    play([{ event: 'step', number: 1, count: 1, title: 'a\x1b[2Jb\nc' }], terminal);
    expect(terminal.written).toBe('step 1 of 1: a [2Jb c\n');
  });
});
