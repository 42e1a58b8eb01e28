"""Words that a slip makes of other words: a text that has the one says something else than a text that has the other.

A slip is a letter missing or extra, or two neighbours swapped. No list has them all: these are such as change a fact
when they change places. Where a slip is far likelier than another meaning (the, they) nothing is listed.
"""

from __future__ import annotations

_UNITS = """
m km dm cm mm nm ha g kg mg t kt mt l hl dl cl ml s ms ns h b kb mb gb tb pb kib mib gib tib bit kbit mbit gbit hz khz
mhz ghz w kw mw gw wh kwh mwh v kv mv a ma ah mah j kj mj pa hpa kpa mpa bar mbar c f k px pt db oz lb ft
"""

_ENGLISH = """
able cable, able table, act fact, act pact, act tact, actor factor, again gain, age cage, age page, age rage, age
wage, air fair, air hair, air pair, alive live, all ally, all ball, all call, all tall, amoral moral, angel angle,
any many, apart part, apolitical political, arise rise, arm army, arm farm, arm harm, asexual sexual, asymmetric
symmetric, asynchronous synchronous, atypical typical, bead bread, bear ear, beast east, black lack, block lock,
blower lower, boil oil, bone one, bought brought, bought ought, brain rain, bread bred, bread read, bright right,
bring ring, calm clam, car card, car care, car cart, car scar, care scare, cash clash, cash crash, casual causal,
cease ease, cheat heat, cleft left, clock lock, close lose, coil oil, cold old, count county, country county, crate
rate, dairy diary, dear ear, dice ice, die died, die diet, done one, down own, drain rain, ear fear, ear near, ear
year, ease lease, ease tease, east feast, east least, eat heat, eight height, eight weight, end lend, end mend, end
send, estate state, even seven, ever every, fast fat, fast feast, fiend friend, fir fire, fir firm, first fist,
flock lock, flour four, flower lower, for four, form from, fought ought, fright right, gain grain, gloss loss, gold
old, gone one, grace race, grate rate, he she, hear heard, hear heart, hear shear, heard herd, heart heat, heat
wheat, here there, hip ship, hour our, ice mice, ice nice, ice rice, ice vice, immoral immortal, irate rate, lack
slack, late plate, lie life, lie line, live lived, live olive, lover over, lower slower, man many, many may, marital
martial, month moth, moral morale, moral mortal, nought ought, oil soil, old sold, old told, oman roman, on one,
once one, one ones, one tone, open pen, ought sought, owe owed, own town, pain paint, pain pan, pain spain, paint
pint, pan span, part party, pin pint, pin spin, pint print, plan plane, plan plant, planet plant, plat plate, port
sport, praise raise, price prince, price rice, pubic public, quiet quite, race trace, rain train, read ready, read
red, read tread, rust trust, sacred scared, salt slat, second seconds, send spend, sent spent, silver sliver, sing
sting, sing swing, sock stock, stable table, star stare, star start, start tart, stat state, sunder under, swarm
warm, sword word, tack track, teen ten, ten tend, ten tent, there three, though thought, though through, three tree,
to two, tow two, trail trial, united untied, word world
"""

_POLISH = """
bart brat, był była, był było, był były, dwa dwaj, kot kto, krok rok, lat lata, mam mama, on ona, on ono, pan pani,
sto to
"""

_PAIRS = [tuple(pair.split()) for pair in f"{_ENGLISH},{_POLISH}".split(",")]

LOOK_ALIKES = frozenset([*_PAIRS, *(pair[::-1] for pair in _PAIRS)])
"""Both orders of each pair."""

UNITS = frozenset(_UNITS.split())
"""Units of measure: with a letter more or less they are others."""
