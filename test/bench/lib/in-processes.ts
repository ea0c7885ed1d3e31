/**
 * The same measurement in several processes, one after another. Where a process has its memory and what its compiler made
 * of the code stay as they are for its life, and make the same case up to a fifth slower or faster than in the next one.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Row } from './compare';

/** @param module path of a module that exports `measure(): Promise<Row[]>`. Of each row, the one with the median ratio. */
export async function inProcesses(module: string, count: number): Promise<Row[]> {
  const results: Row[][] = [];
  for (let nth = 0; nth < count; nth++) {
    const child = fork(__filename, [module]);
    const exit = once(child, 'exit');
    const rows = await Promise.race([once(child, 'message'), exit.then(() => undefined)]);
    if (!rows) throw new Error(`the process that measured ${module} ended without a result`);
    results.push(rows[0] as Row[]);
    await exit;
  }
  return (results[0] ?? []).map((_, row) => {
    const sorted = results.map((rows) => rows[row]!).sort((a, b) => (a.ratio ?? 0) - (b.ratio ?? 0));
    return sorted[sorted.length >> 1]!;
  });
}

async function answer(module: string): Promise<void> {
  const { measure } = (await import(module)) as { measure: () => Promise<Row[]> };
  process.send?.(await measure());
}

if (require.main === module) void answer(process.argv[2]!);
