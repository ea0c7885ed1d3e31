/** Rules that pick events by a text of theirs, such as the name of the analytics rule that fired. Case never counts. */
import { z } from 'zod';
import { CodedError } from '../kit/errors';
import { parsePath, valueAt } from './message-path';
import { safePattern } from './safe-pattern';

const DEFAULT_FIELD = 'data.analyticEventName';

export const ruleSchema = z.object({
  /** A path into the event. */
  field: z.string().trim().default(DEFAULT_FIELD),
  op: z.enum(['contains', 'equals', 'regex']).default('contains'),
  value: z.string().default(''),
  /** What `data.activity` must be as well; empty for any. */
  activity: z.string().trim().default(''),
});
export type Rule = z.infer<typeof ruleSchema>;

const named = (op: Rule['op'], value: string): Rule => ({ field: DEFAULT_FIELD, op, value, activity: '' });

/** What the stadium stores (facts/avigilon-een.md A7). */
export const DEFAULT_FILTER: readonly Rule[] = [
  named('contains', 'PUERTA'),
  named('contains', 'AFORO ENTRADA SENCIA'),
  named('equals', 'INGRESO PERSONAS ENTRADA MARATON'),
];

export type Matcher = (event: object) => boolean;

/**
 * Whether any of the rules matches. A rule with neither value nor activity would match everything, which is never meant.
 * @param property that holds the rules, for the error; @throws CodedError CONFIG_INVALID
 */
export function anyRule(rules: readonly Rule[], property: string): Matcher {
  const matchers = rules.map((rule) => matcher(rule, property));
  return (event) => matchers.some((matches) => matches(event));
}

function matcher({ field, op, value, activity }: Rule, property: string): Matcher {
  if (value === '' && activity === '') {
    throw new CodedError('CONFIG_INVALID', `${property}: a rule has neither a text nor an activity`, { field: property });
  }
  const path = parsePath(field || DEFAULT_FIELD);
  const activityPath = parsePath('data.activity');
  const wanted = fold(activity);
  const test = value === '' ? () => true : textTest(op, value, property);
  return (event) => {
    if (wanted !== '' && foldedAt(event, activityPath) !== wanted) return false;
    if (value === '') return true;
    const text = foldedAt(event, path);
    return text !== undefined && test(text);
  };
}

function textTest(op: Rule['op'], value: string, property: string): (text: string) => boolean {
  const wanted = fold(value);
  switch (op) {
    case 'contains':
      return (text) => text.includes(wanted);
    case 'equals':
      return (text) => text === wanted;
    case 'regex':
      return safePattern(value, property);
  }
}

function foldedAt(event: object, path: readonly string[]): string | undefined {
  const value = valueAt(event, path);
  if (typeof value === 'string') return fold(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Upper case, composed: cameras send the same letter in both Unicode forms. */
const fold = (text: string): string => text.normalize('NFC').toUpperCase();
