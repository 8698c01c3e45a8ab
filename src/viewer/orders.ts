import { z } from 'zod';
import { TypedError } from '../domain/failures.ts';
import { isAgentId, runIdProblem } from '../domain/ids.ts';

const agent = z.string().refine(isAgentId, 'must be the id of an agent, such as 0 or 0.1');
const amount = z.number('must be a number').positive('must be a number above 0');
const whole = amount.int('must be a whole number above 0');
/** As the messages of a run may be. */
const message = z
  .string()
  .refine((text) => text.trim() !== '', 'is empty')
  .max(20_000, 'has more than 20,000 characters');
const name = z.string().trim().min(1, 'is empty').max(200, 'has more than 200 characters');
const iteration = z.int('must be the number of an iteration').nonnegative('must be the number of an iteration');
const runId = z.string().superRefine((id, context) => {
  const problem = runIdProblem(id);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** What a page may tell a run to do. */
const controlOrder = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('pause') }),
    z.strictObject({ kind: z.literal('resume') }),
    z.strictObject({ kind: z.literal('cancel') }),
    z
      .strictObject({
        kind: z.literal('budget'),
        max_cost: amount.optional(),
        max_sandboxes: whole.optional(),
        max_llm_calls: whole.optional(),
        global_timeout: whole.optional(),
      })
      .refine((order) => Object.keys(order).length > 1, 'Say what to change.'),
    z.strictObject({ kind: z.literal('steer'), message, agent: agent.optional() }),
    z.strictObject({ kind: z.literal('approve'), question: z.string().optional() }),
    z.strictObject({ kind: z.literal('reject'), question: z.string().optional(), reason: message.optional() }),
    z.strictObject({ kind: z.literal('retry'), model: name.optional() }),
    z.strictObject({
      kind: z.literal('fork'),
      agent: agent.optional(),
      at: iteration.optional(),
      message: message.optional(),
      model: name.optional(),
      id: runId.optional(),
    }),
  ],
  {
    error:
      'A run can be paused, resumed, steered, approved, rejected, cancelled, retried, forked, or given another budget.',
  },
);

export type ControlOrder = z.infer<typeof controlOrder>;

/** @throws TypedError `Input.Invalid` */
export function checkOrder(value: unknown): ControlOrder {
  const checked = controlOrder.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const field = issue?.path.join('.') ?? '';
  // Of its own sentences none begins with a field.
  const text = issue?.message ?? 'The request is wrong.';
  throw new TypedError('Input.Invalid', field === '' || /^[A-Z"]/.test(text) ? text : `${field} ${text}.`);
}
