/** Properties that are lists, as the editor stores them: as they are, or, typed by hand, as JSON text. */
import { z } from 'zod';

/** An empty property is the fallback; an empty list is an empty list. */
export const jsonList = <Item extends z.ZodType>(item: Item, fallback: readonly z.output<Item>[]) =>
  z.preprocess(
    (value): unknown => {
      if (value === undefined || value === null) return fallback;
      if (typeof value !== 'string') return value;
      if (value.trim() === '') return fallback;
      try {
        return JSON.parse(value) as unknown;
      } catch {
        return undefined;
      }
    },
    z.array(item, { error: 'must be a list' }),
  );
