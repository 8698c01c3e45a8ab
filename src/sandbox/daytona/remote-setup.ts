import { TypedError } from '../../domain/failures.ts';
import type { SandboxRequest } from '../provider.ts';
import { planSetup, readSetupReport, type SetupPlan } from '../setup.ts';

/** Exit code of `python/rlm_remote/prepare.py`. */
export const SETUP_FAILED = 7;

/** Stand for what only the machine knows; `prepare.py` puts its own paths there. */
const PLACES = { workspace: '/@rlm-workspace@', home: '/@rlm-home@' };
const PYTHON = '/@rlm-python@';

/** What `prepare.py` receives about the setup, which runs once in each sandbox after its clone was created. */
export function remoteSetup(request: SandboxRequest): { readonly plan: SetupPlan; readonly spec: object } | undefined {
  const { setup, python } = request;
  if (setup === undefined || request.repository === undefined) return undefined;
  const plan = planSetup(setup, PLACES, { interpreter: PYTHON, preferred: python });
  const { arguments: words, variables, later, isOwn } = plan;
  const spec = { arguments: words, variables, later, own: isOwn, python: plan.python, environment: setup.environment };
  return { plan, spec };
}

/** @param text the last line that `prepare.py` printed: JSON with the report of `kernel setup`. */
export function setupFailure(request: SandboxRequest, text: string): Error {
  const plan = remoteSetup(request)?.plan;
  try {
    const { report, complaint } = JSON.parse(text) as { readonly report?: unknown; readonly complaint?: unknown };
    const [stdout, stderr] = [JSON.stringify(report ?? {}), typeof complaint === 'string' ? complaint : ''];
    if (plan !== undefined) readSetupReport(plan, { code: 0, stdout, stderr });
  } catch (error) {
    if (error instanceof TypedError) return error;
  }
  return new TypedError('Sandbox.SetupFailed', 'The commands of sandbox.setup could not be run in the sandbox.');
}
