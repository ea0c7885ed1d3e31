/**
 * Reading a node's properties: environment variables filled in, strings coerced, ranges checked, and the property at
 * fault named. The editor stores numbers and flags as strings once a person has typed `${NAME}` there.
 */
import { z } from 'zod';
import { CodedError } from './errors';

/** Value of an environment variable as the flow sees it, or undefined. */
export type EnvLookup = (name: string) => unknown;

const VARIABLE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/** `${NAME}` and `${NAME:-fallback}` anywhere in a text; the fallback also serves where the variable is empty. */
export function fillIn(text: string, env: EnvLookup, field: string): string {
  return text.replace(VARIABLE, (_, name: string, fallback: string | undefined) => {
    const found = env(name);
    const value = typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : '';
    if (value !== '') return value;
    if (fallback !== undefined) return fallback;
    throw new CodedError('CONFIG_ENV_UNSET', `${field}: the environment variable ${name} is not set`, { field });
  });
}

/**
 * The properties as their schema types them.
 * @throws CodedError CONFIG_INVALID or CONFIG_ENV_UNSET, with `field`
 */
export function readConfig<S extends z.ZodObject>(schema: S, raw: object, env: EnvLookup): z.infer<S> {
  const given = raw as Record<string, unknown>;
  const filled = Object.fromEntries(
    Object.keys(schema.shape).map((field) => {
      const value = given[field];
      return [field, typeof value === 'string' ? fillIn(value, env, field) : value];
    }),
  );
  const parsed = schema.safeParse(filled);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = String(issue?.path[0] ?? 'config');
  throw new CodedError('CONFIG_INVALID', `${field}: ${issue?.message ?? 'not valid'}`, { field });
}

const blankToUndefined = (value: unknown): unknown =>
  value === null || (typeof value === 'string' && value.trim() === '') ? undefined : value;

/** Building blocks of config schemas. Each takes what the editor may have stored and says in words what it wants. */
export const field = {
  text: (fallback?: string) =>
    z.preprocess(
      blankToUndefined,
      fallback === undefined ? z.string({ error: 'must not be empty' }).trim() : z.string().trim().default(fallback),
    ),

  number: (options: { min: number; max: number; fallback: number; integer?: boolean }) => {
    const words = `must be a ${options.integer ? 'whole ' : ''}number from ${options.min} to ${options.max}`;
    const number = z.number({ error: words }).min(options.min, words).max(options.max, words);
    return z.preprocess((value) => {
      const given = blankToUndefined(value);
      return typeof given === 'string' ? Number(given) : given;
    }, (options.integer ? number.int(words) : number).default(options.fallback));
  },

  flag: (fallback: boolean) =>
    z.preprocess(
      (value) => {
        const given = blankToUndefined(value);
        if (typeof given !== 'string') return given;
        if (/^(true|1|yes|on)$/i.test(given.trim())) return true;
        return /^(false|0|no|off)$/i.test(given.trim()) ? false : given;
      },
      z.boolean({ error: 'must be true or false' }).default(fallback),
    ),

  choice: <const V extends readonly [string, ...string[]]>(values: V, fallback: V[number]) =>
    z.preprocess(
      blankToUndefined,
      z.enum(values, { error: `must be one of ${values.join(', ')}` }).default(fallback as never),
    ),

  /** Comma-separated words; an empty list unless `required`. */
  list: (options: { required?: boolean } = {}) =>
    z.preprocess(
      (value) =>
        typeof value === 'string'
          ? value
              .split(',')
              .map((word) => word.trim())
              .filter((word) => word !== '')
          : (value ?? []),
      options.required ? z.array(z.string()).min(1, 'must name at least one') : z.array(z.string()),
    ),
};
