"""What a rater may see of a study: their way through it, and nothing of who is who.

It does not know how a page is drawn.
"""

from dataclasses import dataclass
from datetime import datetime

from arena.core.study.assignment import progress
from arena.core.study.course import Course
from arena.core.study.design import Questions, Study


@dataclass(frozen=True, slots=True)
class RaterPage:
    """phase: closed (also to those who have judged nothing when nothing is left), consent, ready,
    waiting or finished. battle: the one they are at, if any. unsaid: the one they
    judged last, if the study asks what they think of it and they have not said. practice: what
    comes next is never counted. end, code, link: once it is finished."""

    study: str
    rater: str
    phase: str
    done: int
    total: int
    practice: bool
    instructions: str
    consent: str
    after: Questions
    battle: str = ""
    unsaid: str = ""
    end: str = ""
    code: str = ""
    link: str = ""


def page(study: Study, course: Course, rater: str, now: datetime) -> RaterPage:
    told = progress(study, course, rater, now)
    phase = "ready"
    if rater in course.raters and told.finished:
        phase = "finished"
    elif told.in_vain or not taking_part(study, course, now):
        phase = "closed"
    elif rater not in course.raters:
        phase = "consent"
    elif told.waiting:
        phase = "waiting"
    over = phase == "finished"
    claims = course.of_rater(rater)
    at = [claim.battle for claim in claims if not claim.done]
    asks = study.after.any and claims and phase != "closed"
    unsaid = asks and claims[-1].done and claims[-1].battle not in course.remarks
    return RaterPage(
        study=study.name,
        rater=rater,
        phase=phase,
        done=told.done,
        total=told.total,
        practice=not told.practised,
        instructions=study.texts.instructions,
        consent=study.texts.consent,
        after=study.after,
        battle=at[-1] if at else "",
        unsaid=claims[-1].battle if unsaid else "",
        end=study.texts.end if over else "",
        code=study.completion.code if over else "",
        link=study.completion.link if over else "",
    )


def taking_part(study: Study, course: Course, now: datetime) -> bool:
    """Raters may go on."""
    return course.open and not (study.closes and now >= study.closes)
