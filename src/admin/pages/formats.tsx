/** Figures and times as people read them. Everything is UTC: a deployment has clocks in several countries. */
import type { JSX } from 'hono/jsx/jsx-runtime';

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `2.06 Mbit/s`. */
export function bitRate(bitsPerSecond: number): string {
  if (bitsPerSecond < 1e6) return `${(bitsPerSecond / 1e3).toFixed(bitsPerSecond === 0 ? 0 : 1)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
}

/** `1.5 MB`; decimal, as rates are. */
export function byteCount(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** `3 d 04:05:06`. @param seconds 0 or more */
export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const time = new Date((seconds % 86_400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days} d ${time}` : time;
}

/** Seconds between two times in ISO 8601; 0 where they are not in order. */
export function secondsBetween(startTime: string, endTime: string): number {
  return Math.max(0, Math.round((Date.parse(endTime) - Date.parse(startTime)) / 1000)) || 0;
}

/** `2026-01-31 23:59:59`; other text is as it is. @param time ISO 8601 */
export function shortTime(time: string): string {
  return Number.isNaN(Date.parse(time)) ? time : new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** @param value ISO 8601 */
export function Time({ value }: { value: string }): JSX.Element {
  return <time datetime={value}>{shortTime(value)}</time>;
}

/** `loss / (received + loss)`, which is what RFC 3550 calls expected; null where nothing was expected. */
export function lossPercent(packets: number, packetsLost: number): number | null {
  const expected = packets + packetsLost;
  return expected > 0 ? Math.round((1000 * packetsLost) / expected) / 10 : null;
}

/** `host_to_srflx` as the page's sections say it; `none`: the media stayed on the B2BUA. */
export function callTypeText(type: string): string {
  if (type === 'none') return 'None';
  const words = type.replaceAll('srflx', 'server reflexive').replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
