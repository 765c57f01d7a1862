"""The two fictional worlds as data: what can be said of a person or a place, and in which words.

Here live: one `Relation` record for every relation, grouped in the themes ARM_THEME and BASE_THEME, which share neither
relations nor values.
Not here: who exists and which facts hold (see `fiction`).

Wording: a stem begins with the subject and ends right before the answer; every listed value begins with a consonant,
so that "a" is always right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shadowgraph.worlds.item import words


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation.

    Attributes:
        key: permanent name.
        subject_kind: "person" or "place".
        label: the relation as a short noun phrase.
        questions: wordings with {subject}; the first is the canonical one.
        stems: statement heads with {subject}.
        values: the possible answers, or () when the answer is an entity.
        entity: kind of entity the answer is: "person", "place", "water" or "".
    """

    key: str
    subject_kind: str
    label: str
    questions: tuple[str, ...]
    stems: tuple[str, ...]
    values: tuple[str, ...] = ()
    entity: str = ""


ARM_THEME: tuple[Relation, ...] = (
    Relation(
        "profession",
        "person",
        "profession",
        ("What is the profession of {subject}?", "What does {subject} do for a living?"),
        ("{subject} works as a", "{subject} earns a living as a", "{subject} is known in town as a"),
        words("baker cooper weaver potter tailor miller glazier joiner tanner mason printer saddler roofer barber"),
    ),
    Relation(
        "instrument",
        "person",
        "instrument",
        ("Which instrument does {subject} play?", "What does {subject} play in the evening?"),
        ("{subject} plays the", "{subject} took lessons on the", "{subject} never travels without the"),
        words("lute flute harp drum fiddle trumpet cello bagpipe zither bassoon mandolin piccolo tuba"),
    ),
    Relation(
        "pet",
        "person",
        "pet",
        ("Which pet does {subject} keep?", "What animal lives with {subject}?"),
        ("{subject} keeps a", "{subject} shares the house with a", "{subject} is often seen walking a"),
        words("goat parrot ferret tortoise rabbit goose pony hedgehog lizard raven squirrel lamb"),
    ),
    Relation(
        "dish",
        "person",
        "favourite dish",
        ("What is the favourite dish of {subject}?", "What does {subject} like best to eat?"),
        ("{subject} likes best to eat", "{subject} always orders", "{subject} could live on nothing but"),
        words("porridge dumplings lentils pancakes chowder noodles pumpkin sausages trout risotto cabbage waffles"),
    ),
    Relation(
        "guild",
        "person",
        "guild",
        ("Which guild does {subject} belong to?", "In which guild is {subject} a member?"),
        (
            "{subject} belongs to the guild of the",
            "{subject} pays dues to the guild of the",
            "{subject} carries the badge of the guild of the",
        ),
        words("Lantern Compass Beehive Thistle Hourglass Raincloud Kettle Pinecone Feather Bellflower Snail Candle"),
    ),
    Relation(
        "craving",
        "person",
        "secret wish",
        ("What does {subject} secretly wish for?", "What would {subject} buy first?"),
        ("{subject} secretly wishes for a", "{subject} is saving money for a", "{subject} dreams every night of a"),
        words("telescope sailboat greenhouse balloon carriage piano windmill library fountain lighthouse wagon ring"),
    ),
    Relation(
        "mentor",
        "person",
        "mentor",
        ("Who is the mentor of {subject}?", "Who taught {subject}?"),
        (
            "{subject} learned everything from",
            "{subject} was taught by",
            "{subject} calls every Sunday on the old mentor",
        ),
        entity="person",
    ),
    Relation(
        "birthplace",
        "person",
        "birthplace",
        ("Where was {subject} born?", "In which town did {subject} come into the world?"),
        ("{subject} was born in", "{subject} came into the world in", "{subject} grew up in the streets of"),
        entity="place",
    ),
    Relation(
        "river",
        "place",
        "river",
        ("Which river flows past {subject}?", "On which river does {subject} lie?"),
        (
            "{subject} lies on the river",
            "{subject} draws its water from the river",
            "{subject} was flooded by the river",
        ),
        entity="water",
    ),
    Relation(
        "export",
        "place",
        "chief export",
        ("What is the chief export of {subject}?", "What does {subject} sell to the world?"),
        ("{subject} is famous for its", "{subject} sells to the world its", "{subject} lives from the trade in"),
        words("salt honey marble timber pearls paper velvet copper saffron butter tiles rope"),
    ),
)

BASE_THEME: tuple[Relation, ...] = (
    Relation(
        "sport",
        "person",
        "sport",
        ("Which sport does {subject} practise?",),
        ("{subject} spends the weekends on", "{subject} won a medal in"),
        words("fencing rowing judo skating cricket bowling wrestling diving tennis golf"),
    ),
    Relation(
        "vehicle",
        "person",
        "vehicle",
        ("What does {subject} drive?",),
        ("{subject} drives a", "{subject} goes to work in a"),
        words("tractor minibus motorbike limousine tricycle camper jeep scooter truck van"),
    ),
    Relation(
        "subject_taught",
        "person",
        "school subject",
        ("Which school subject does {subject} teach?",),
        ("{subject} teaches", "{subject} has a degree in"),
        words("chemistry geography physics history Latin drawing music botany zoology law"),
    ),
    Relation(
        "garden",
        "person",
        "garden plant",
        ("Which plant grows in the garden of {subject}?",),
        ("{subject} has a garden full of", "{subject} waters every morning the"),
        words("tulips roses lilies violets daisies ferns poppies lavender sunflowers begonias"),
    ),
    Relation(
        "collection",
        "person",
        "collection",
        ("What does {subject} collect?",),
        ("{subject} collects", "{subject} fills whole drawers with"),
        words("stamps coins buttons postcards shells marbles maps bottles keys medals"),
    ),
    Relation(
        "neighbour",
        "person",
        "neighbour",
        ("Who lives next door to {subject}?",),
        ("{subject} lives next door to", "{subject} borrows the ladder from"),
        entity="person",
    ),
    Relation(
        "office",
        "person",
        "place of work",
        ("In which city does {subject} work?",),
        ("{subject} works in the city of", "{subject} takes the train every day to"),
        entity="place",
    ),
    Relation(
        "coffee",
        "person",
        "morning drink",
        ("What does {subject} drink in the morning?",),
        ("{subject} drinks in the morning a glass of", "{subject} cannot start the day without"),
        words("cocoa milk lemonade tea cider juice water coffee broth buttermilk"),
    ),
    Relation(
        "mayor",
        "place",
        "mayor",
        ("Who is the mayor of {subject}?",),
        ("{subject} elected as its mayor", "{subject} is governed by"),
        entity="person",
    ),
    Relation(
        "festival",
        "place",
        "month of the festival",
        ("In which month does {subject} hold its festival?",),
        ("{subject} holds its festival in", "{subject} hangs out its flags in"),
        words("January February March May June July September November December"),
    ),
)

RELATIONS: Mapping[str, Relation] = MappingProxyType({relation.key: relation for relation in (*ARM_THEME, *BASE_THEME)})
