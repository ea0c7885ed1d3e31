/** One line of a bench's table: what was measured, an absolute figure, and its ratio to the bench's reference. */
export interface Row {
  case: string;
  figure: string;
  /** Speed against the reference: 2 is twice as fast. Absent where there is nothing to compare with. */
  ratio?: number;
}

export interface Contestant {
  case: string;
  /** Does the whole work once. */
  work: () => unknown;
  /** Which other one its speed is divided by; the first of all unless told. */
  against?: string;
}

export interface Comparison {
  warmUps?: number;
  rounds?: number;
  /** The seconds of CPU time that one work took, as the figure of its row. */
  figure: (seconds: number) => string;
}

/**
 * Measures all side by side: every round runs each once, in an order of its own, and only times of the same round are
 * divided by one another. CPU time and the median of the ratios count, because others use the machine as well.
 */
export async function compare(contestants: readonly Contestant[], { warmUps = 5, rounds = 31, figure }: Comparison): Promise<Row[]> {
  const times = contestants.map((): number[] => []);
  for (let round = -warmUps; round < rounds; round++) {
    // Once per round: V8 forgets compiled code that has not run for some collections.
    globalThis.gc?.();
    for (const nth of shuffled(contestants.length)) {
      const seconds = await time(contestants[nth]!);
      if (round >= 0) times[nth]!.push(seconds);
    }
  }
  return contestants.map(({ case: title, against }, nth) => {
    const reference = times[against === undefined ? 0 : contestants.findIndex((other) => other.case === against)]!;
    const ratios = times[nth]!.map((seconds, round) => reference[round]! / seconds);
    return { case: title, figure: figure(median(times[nth]!)), ratio: median(ratios) };
  });
}

/** 0..count-1; without a fixed order nobody always runs behind the same other one, whose garbage it collects. */
function shuffled(count: number): number[] {
  return Array.from({ length: count }, (_, nth) => ({ nth, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ nth }) => nth);
}

async function time({ work }: Contestant): Promise<number> {
  globalThis.gc?.({ type: 'minor' });
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
