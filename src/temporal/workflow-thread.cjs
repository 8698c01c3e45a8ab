// Loaded first in the SDK's workflow threads; see docs/decisions/003-quick-workflow-threads.md.
const v8 = require('node:v8');
const vm = require('node:vm');

// The SDK takes a stack trace of every promise a workflow makes, for the query __stack_trace. Without the hook the
// query answers with an empty trace.
v8.promiseHooks.createHook = () => () => {};

// A time limit makes V8 start a thread for each call into a workflow.
// oxlint-disable-next-line typescript/unbound-method -- bound again below
const runInContext = vm.Script.prototype.runInContext;
vm.Script.prototype.runInContext = function (context, options) {
  return runInContext.call(this, context, options === undefined ? undefined : { ...options, timeout: undefined });
};
