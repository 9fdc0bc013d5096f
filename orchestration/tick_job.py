"""The tick as a job, so that the daemon's schedules and the UI can start one."""

import dagster as dg

from orchestration.settings import Settings

TICK = "tick"


def tick_job(settings: Settings) -> dg.JobDefinition:
    """A job of one step that does everything that is due; its phases are runs of their own."""

    @dg.op(name="everything_due", pool=TICK)
    def everything_due(context: dg.OpExecutionContext) -> None:
        from orchestration.abandoned import process_tag
        from orchestration.tick import run_tick

        context.instance.add_run_tags(context.run_id, process_tag())
        report = run_tick(settings, on_phase=lambda phase: context.log.info("phase: %s", phase))
        for line in report.lines():
            context.log.info(line)
        context.add_output_metadata(report.counts())

    @dg.job(
        name=TICK,
        executor_def=dg.in_process_executor,
        description="执行全部到期工作 · Everything that is due: extract, build, check, gate, queue.",
    )
    def tick() -> None:
        everything_due()

    return tick
