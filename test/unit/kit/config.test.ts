import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { field, fillIn, readConfig } from '../../../nodes/kit/config';
import type { CodedError } from '../../../nodes/kit/errors';

const env = (variables: Record<string, unknown>) => (name: string) => variables[name];
const none = env({});

const failure = (run: () => unknown): Partial<CodedError> => {
  try {
    run();
  } catch (error) {
    return error as CodedError;
  }
  return {};
};

describe('environment variables', () => {
  test.each([
    ['plain', 'plain'],
    ['${A}', 'one'],
    ['${A}/${B:-two}/x', 'one/two/x'],
    ['${EMPTY:-full}', 'full'],
    ['${B:-}', ''],
    ['${N}', '5'],
    ['${F}', 'false'],
    ['{{device}} $A ${', '{{device}} $A ${'],
  ])('%s is %s', (text, expected) => {
    expect(fillIn(text, env({ A: 'one', EMPTY: '', N: 5, F: false }), 'x')).toBe(expected);
  });

  test('one that is not set is named with its field', () => {
    expect(failure(() => fillIn('${NOPE}', none, 'host'))).toMatchObject({ code: 'CONFIG_ENV_UNSET', field: 'host', message: expect.stringContaining('NOPE') as string });
  });

  test('what a variable holds is not filled in again', () => {
    expect(fillIn('${A}', env({ A: '${B}' }), 'x')).toBe('${B}');
  });

  test('properties outside of the schema are left alone', () => {
    expect(readConfig(z.object({ a: field.text('') }), { a: 'x', info: 'costs ${MONEY}' }, none)).toEqual({ a: 'x' });
  });
});

describe('what the editor may have stored', () => {
  const schema = z.object({
    number: field.number({ min: 1, max: 60, fallback: 5, integer: true }),
    flag: field.flag(true),
    list: field.list(),
    choice: field.choice(['a', 'b'], 'a'),
    text: field.text('none'),
  });

  test.each([
    [{}, { number: 5, flag: true, list: [], choice: 'a', text: 'none' }],
    [{ number: '', flag: '', list: '', choice: '', text: ' ' }, { number: 5, flag: true, list: [], choice: 'a', text: 'none' }],
    [{ number: ' 7 ', flag: 'NO', list: ' x, ,y ', choice: 'b', text: ' t ' }, { number: 7, flag: false, list: ['x', 'y'], choice: 'b', text: 't' }],
    [{ number: 60, flag: '1', list: ['x'], text: null }, { number: 60, flag: true, list: ['x'], choice: 'a', text: 'none' }],
  ])('%j', (raw, expected) => {
    expect(readConfig(schema, raw, none)).toEqual(expected);
  });

  test.each([
    [{ number: 0 }, 'number'],
    [{ number: '61' }, 'number'],
    [{ number: '1.5' }, 'number'],
    [{ number: 'NaN' }, 'number'],
    [{ number: {} }, 'number'],
    [{ flag: 'maybe' }, 'flag'],
    [{ choice: 'c' }, 'choice'],
    [{ list: 5 }, 'list'],
    [{ text: 5 }, 'text'],
  ])('%j names the field', (raw, at) => {
    expect(failure(() => readConfig(schema, raw, none))).toMatchObject({ code: 'CONFIG_INVALID', field: at });
  });

  test('a text without a fallback must be there', () => {
    expect(failure(() => readConfig(z.object({ host: field.text() }), {}, none))).toMatchObject({ field: 'host', message: 'host: must not be empty' });
  });
});
