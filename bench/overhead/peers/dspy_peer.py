"""`dspy.RLM` with its local interpreter: every REPL in a process of its own, sub-agents in threads of this one."""

import dspy
from serve import serve

dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)


def play(request):
    model = dspy.LM(f"openai/{request['model']}", api_base=request["base_url"], api_key="scripted", cache=False)
    with dspy.context(lm=model, interpreter_factory=dspy.LocalInterpreter):
        agent = dspy.RLM("task -> answer", max_iters=30, max_llm_calls=10_000)
        return agent(task=request["task"]).answer


serve(play)
