"""`arena bench rigging`: votes that it takes to move the first rank by one, and whom an audit finds.

It draws what `arena.bench.rigging` and `arena.bench.detection` measure, and does not know how that
is done.
"""

from argparse import ArgumentParser, Namespace

from arena.cli.arguments import number, to_json
from arena.cli.terminal import Bar, figure, table, told


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Plays a simulated arena; needs no host and no ledger. The same seed gives the same "
        "figures."
    )
    number(parser, "--contenders", 3, 30, 8, "of normal strengths")
    number(parser, "--raters", 20, 5000, 100, "who are honest and disagree")
    number(parser, "--ballots", 5, 500, 40, "of each, on average")
    number(parser, "--size", 2, 3, 3, "contenders of a battle, 2 or 3")
    number(parser, "--limit", 1, 1_000_000, 600, "ballots of a network in an hour")
    number(parser, "--repeat", 1, 1000, 2, "arenas for each attack that is audited")
    number(parser, "--seed", 0, 2**31, 1, "of all chance")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench import detection, rigging
    from arena.bench.attackers import Crowd

    crowd = Crowd(
        contenders=options.contenders,
        honest=options.raters,
        ballots=options.ballots,
        size=options.size,
        seed=options.seed,
    )
    with Bar() as bar:
        rows = list(rigging.run(crowd, options.limit, bar.show))
        audits = list(detection.run(crowd, options.repeat, bar.show))
    more = f"over {rigging.MOST}"
    columns = {
        "Defence": lambda r: r.defence,
        "Raters": lambda r: figure(r.raters or None, "{:.0f}"),
        "Ballots": lambda r: figure(r.ballots, "{:,.0f}", more if r.raters else ""),
        "Votes": lambda r: figure(r.votes, "{:,.0f}"),
        "Of all": lambda r: figure(r.share, "{:.2%}"),
        "Hours": lambda r: figure(r.hours, "{:.1f}", ""),
    }
    words = (
        "Until the second is first. Of all: of the honest votes. Hours: of one network within the "
        f"limit of ballots. {rigging.PUBLISHED}"
    )
    drawn = table("To move the first rank by one", columns, rows, ("Defence",))
    columns = {
        "Attack": lambda r: r.attack,
        "Raters": lambda r: figure(r.raters or None, "{:.0f}"),
        "Ballots": lambda r: figure(r.ballots or None, "{:,.0f}"),
        "Found": lambda r: figure(r.found, "{:.0%}"),
        "Accused": lambda r: f"{r.accused:.2%}",
        "Places": lambda r: "{:.1f} → {:.1f}".format(*r.ranks),
        "Points": lambda r: "{:.1f} → {:.1f}".format(*r.points),
    }
    audited = table("Whom an audit finds", columns, audits, ("Attack",))
    words += (
        " Accused: of the honest. Places, of all together, and points, of the furthest: moved by "
        "the attack → left when whoever was found is excluded."
    )
    figures = {"rows": rows, "audits": audits, "published": rigging.PUBLISHED}
    told(options.json, figures, [drawn, audited], words)
    return 0
