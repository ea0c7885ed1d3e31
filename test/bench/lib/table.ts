import type { Row } from './compare';

/** Rows under one another, as plain text; `-` where a row has no ratio. */
export function table(rows: readonly Row[]): string {
  const lines = [
    ['case', 'ratio', 'figure'],
    ...rows.map(({ case: title, ratio, figure }) => [title, ratio === undefined ? '-' : ratio.toFixed(2), figure]),
  ];
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map(([title, ratio, figure]) => `  ${title!.padEnd(widths[0]!)}  ${ratio!.padStart(widths[1]!)}  ${figure}`).join('\n');
}
