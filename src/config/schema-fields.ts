import { z } from 'zod';

/** The maximum that a timer of Node can wait, in whole seconds: about 24 days. */
export const MAX_TIMER_SECONDS = 2_147_483;
/** Seconds. */
export const YEAR = 31_536_000;

export const text = z.string().trim().min(1);
export const count = z.number().int().min(1);
export const seconds = z.number().positive().max(MAX_TIMER_SECONDS);
export const dollars = z.number().min(0);

/** Not quoted in messages, and in capitals: someone may have put the key where its variable's name belongs. */
export const environmentVariable = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'must be the name of an environment variable, in capitals, not what it holds')
  .meta({ secret: true });

/** The same for programs that have variables of any spelling. */
export const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable, not what it holds')
  .meta({ secret: true });

/** @param instead where a key belongs */
export const endpoint = (example: string, instead: string): z.ZodType<string, string> =>
  z
    .string()
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
      error: `must be an http or https address such as ${example}`,
      abort: true,
    })
    .refine((value) => new URL(value).username === '' && new URL(value).password === '', {
      error: `must not hold a name or password; ${instead}`,
    })
    .meta({ secret: true });

/** A name, which may begin with `*.`, or an address; a port. */
export const networkHost = z
  .string()
  .regex(
    /^(\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/,
    'must be a host such as api.example.org, *.example.org or example.org:8443, without https://',
  );
