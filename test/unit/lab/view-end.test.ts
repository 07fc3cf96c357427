import { describe, expect, it } from 'vitest';
import type { LabResult } from '../../../lab/events.ts';
import { withoutColours } from '../../../lab/view/colours.ts';
import { endLines, metricsLines, nextLines, verdictLines } from '../../../lab/view/end.ts';
import { labRun, labRunWithWrongCall, resultOf } from './lab-run.ts';

const right = resultOf(labRun());

function verdict(result: LabResult): string[] {
  return verdictLines(result, withoutColours);
}

describe('the verdict', () => {
  it('counts the calls that took the expected path', () => {
    expect(verdict(right)).toEqual(['4 of 4 calls took the expected path']);
  });

  it('names what is wrong', () => {
    expect(verdict(resultOf(labRunWithWrongCall()))).toEqual([
      '3 of 4 calls took the expected path, 1 call is wrong',
      '  call 2 (homeA → homeB): expected srflx_to_srflx, the media plane recorded srflx_to_relay (no reason)',
    ]);
  });

  it('says so of calls that are wrong on the right path, and of metrics that do not add up', () => {
    const calls = right.calls.map((row) => ({ ...row, isRight: false }));
    expect(verdict({ ...right, calls })).toEqual(['4 of 4 calls took the expected path, 4 calls are wrong']);
    expect(verdict({ ...right, problems: ['metrics: icecalls is 2'] })).toEqual([
      '4 of 4 calls took the expected path, but not all is right',
      '  metrics: icecalls is 2',
    ]);
  });
});

describe('the metrics', () => {
  it('are those that are not 0, and all call types', () => {
    const event = labRun().find((one) => one.event === 'metrics');
    expect(event && metricsLines(event, withoutColours)).toEqual([
      'ICE metrics, 2026-03-01 10:00 to 2026-03-02 10:00 UTC',
      '  B2BUA connected calls                             4',
      '  Calls with optimized ICE media paths              3',
      '  Host to host                                      1',
      '  Host to server reflexive                          0',
      '  Host to relay                                     1',
      '  Server reflexive to server reflexive              1',
      '  Server reflexive to relay                         0',
      '  Relay to relay                                    0',
      '  Calls with required Expressway ICE configuration  3',
      '  Calls with non-optimized media paths              1',
    ]);
  });

  it('are left out where the media plane has none', () => {
    expect(endLines(right, null, 'ends', withoutColours)[0]).toBe('4 of 4 calls took the expected path');
  });
});

describe('what to do next', () => {
  it('is short', () => {
    const lines = nextLines(right, 'stays', withoutColours);
    expect(lines.length).toBeLessThanOrEqual(12);
    for (const line of lines) expect(line.length).toBeLessThan(80);
  });

  it('has the pages while they are there', () => {
    const lines = nextLines(right, 'stays', withoutColours);
    expect(lines[1]).toBe('  status pages    http://127.0.0.1:40123/ice-metrics');
    expect(lines[2]).toBe('  metrics as CSV  curl http://127.0.0.1:40123/ice-metrics.csv');
    expect(lines.at(-1)).toBe('Ctrl-C ends the lab');
  });

  it('has them in a lab that was up before, and stays so', () => {
    const text = nextLines(right, 'kept', withoutColours).join('\n');
    expect(text).toContain('http://127.0.0.1:40123/ice-metrics');
    expect(text).not.toContain('Ctrl-C');
  });

  it.each([
    ['when the lab ends by itself', right, 'ends'],
    ['of a media plane that has none', { ...right, pageUrl: null }, 'stays'],
  ] as const)('has no pages %s', (_, result, afterwards) => {
    const text = nextLines(result, afterwards, withoutColours).join('\n');
    expect(text).not.toContain('ice-metrics');
    expect(text).not.toContain('null');
    expect(text.includes('Ctrl-C')).toBe(afterwards === 'stays');
  });
});
