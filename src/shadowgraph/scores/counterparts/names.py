"""The same story about other people: person names swapped consistently.

Here live: the names, finding them in a text, the exchange, and its inverse.
Not here: numbers (`numbers`). Only questions that carry their arithmetic are renamed: elsewhere a name may be that of a
real person, and then it is part of what is asked.

A name is replaced by one of its own group (for pronouns), with the same ending where the genitive depends on it, and
never by one the text holds already. Names that are words or places too ("Mark", "May", "Austin") are not in the list at
all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.question import Question
from shadowgraph.worlds.item import pick, words

_HERS = words(
    "Abigail Adriana Alice Alicia Allison Amanda Amelia Amy Andrea Angela Anita Anna Anne Annie Ariana Audrey "
    "Barbara Beatrice Becky Bella Bertha Bethany Betty Brenda Brianna Bridget Brittany Camila Carla Carly "
    "Carmen Caroline Carolyn Catherine Cecilia Celia Cheryl Christina Cindy Claire Clara Claudia Colleen "
    "Cynthia Daniela Deborah Denise Diana Diane Donna Dora Dorothy Edith Eileen Elaine Eleanor Elena Elisa "
    "Eliza Elizabeth Ella Ellen Elsa Emily Emma Erica Erin Esther Eva Evelyn Fatima Felicia Fiona Flora Frida "
    "Gabriela Gina Gloria Greta Gwen Hailey Haley Hannah Harriet Heidi Helen Henrietta Ida Ingrid Irene Isabel "
    "Isabella Jacqueline Janet Janice Jenna Jennifer Jenny Jane Joan Judy Josie Dana Debby Debra Faye Beth Ann "
    "Louise Lori Stella Mia Pauline Marla Rosie Shirley Carrie Jen Jessica Jill Joanna Johanna Judith Julia "
    "Juliana Julie Karen Karla Kate Katherine Kathleen Katie Kayla Kendra Kiara Kimberly Kristen Kylie Laura "
    "Lauren Layla Leah Leila Lena Leticia Linda Lisa Liza Louisa Lucia Lucy Luisa Madeline Maggie Mandy "
    "Margaret Maria Mariana Marianne Marie Marina Marissa Marta Martha Mary Matilda Megan Melanie Melinda "
    "Melissa Michelle Mila Miranda Miriam Molly Monica Nadia Nadine Nancy Naomi Natalia Natalie Nell Nicole "
    "Nina Nora Olivia Pamela Patricia Paula Priscilla Rachel Ramona Rebecca Renata Rhonda Rita Roberta Rosa "
    "Rosalind Roxanne Sabrina Sally Samantha Sandra Sara Sarah Selena Sheila Silvia Sofia Sonia Sophia Sophie "
    "Stephanie Susan Susanna Susie Suzanne Sylvia Tamara Tanya Tara Teresa Theresa Tiffany Tina Tonya Tracy "
    "Ursula Valentina Valerie Vanessa Vera Veronica Vivian Wanda Wendy Wilma Yolanda Yvonne Zoe Agnes Doris "
    "Frances Gladys Lois Phyllis"
)
_HIS = words(
    "Aaron Abraham Adam Adrian Alan Albert Alberto Alejandro Alfred Ali Allan Allen Alvin Andre Andrew Andy "
    "Anthony Antonio Arnold Arthur Arturo Benjamin Bernard Bert Billy Bobby Boris Brad Bradley Brandon Brendan "
    "Brian Bruce Bruno Bryan Caleb Calvin Carl Cesar Colin Connor Craig Damian Daniel Danny Darren Darryl Dave "
    "David Derek Diego Dmitri Donald Doug Douglas Duncan Edgar Eduardo Edward Edwin Elijah Elliot Enrique Eric "
    "Ernest Ethan Eugene Evan Felipe Felix Fernando Fred Frederick Gabriel Gary Geoffrey George Gerald Gerardo "
    "Gilbert Gordon Graham Greg Gregory Guillermo Gustavo Ben Benny Dan Ron Jon Phil Barry Nate Theo Hank "
    "Donny Dexter Robert Grayson Pete Hamza Harold Harvey Hector Henry Herbert Herman Howard Hugo Ian Ibrahim "
    "Isaac Ivan Jacob Jaime Jake Jared Jason Javier Jeff Jeffrey Jeremy Jerome Jerry Jim Jimmy Joe Joel Joey "
    "John Johnny Jonathan Jorge Jose Joseph Joshua Juan Julian Julio Justin Karl Keith Ken Kenneth Kenny Kevin "
    "Kurt Kyle Larry Leo Leon Leonard Leonardo Leroy Liam Lorenzo Louie Luigi Luke Malcolm Manuel Marco Mario "
    "Martin Marvin Matthew Maurice Melvin Michael Miguel Mike Milton Mitchell Mohammed Nathan Nathaniel Neil "
    "Nelson Noah Norman Oliver Omar Otto Owen Pablo Paco Patrick Paul Pedro Peter Philip Phillip Rafael Ralph "
    "Ramon Raymond Ricardo Richard Rick Roberto Rodney Roger Roland Ronald Ruben Rudolf Rupert Ryan Samuel "
    "Scott Sean Sebastian Sergio Seth Simon Stanley Stephen Steve Steven Stuart Tariq Ted Theodore Tim Timmy "
    "Timothy Tobias Toby Todd Tom Tommy Tony Travis Trevor Victor Vincent Vladimir Walter Warren Wayne William "
    "Xavier Zachary Carlos Charles Chris Curtis Dennis Dimitris James Lucas Luis Marcos Marcus Nicholas Silas "
    "Thomas Tomas"
)
_ANYONE = words(
    "Alex Ashley Avery Charlie Jesse Kim Blair Cameron Casey Emerson Finley Frankie Harper Jamie Jackie Jessie "
    "Kelly Kelsey Kendall Kerry Leslie Micah Morgan Peyton Quinn Reese Riley Robbie Rory Rowan Sam Skyler "
    "Stacy Taylor Terry Tracey"
)
_WORDS_TOO = frozenset(
    words(
        "April Art Basil Bill Bob Buck Carol Chase Christian Chuck Cliff Clay Cole Dale Daisy Dawn Dean Dot Drew "
        "Earl Eve Faith Frank Gene Ginger Glen Grace Grant Guy Harmony Harry Hazel Heather Holly Hope Hunter Iris "
        "Ivy Jack Jade Jasmine Jay Jean Jewel Josh Joy June Lance Lane Lily Mark Mason Matt Max May Melody Miles "
        "Nick Olive Opal Pearl Penny Pierce Ray Rich Rob Robin Rose Ruby Rusty Sage Sandy Sky Skip Summer Sue "
        "Victory Violet Wade Ward Will Woody Randy Paige Winter Baker Carson Jackson Chad Sunny Misty Crystal "
        "Georgia Virginia Victoria Charlotte Helena Regina Mercedes Lydia Norma Austin Troy Roman Oscar Santiago "
        "Salvador Francisco Jordan Dakota Sidney Lawrence Tyler Lee Val Pat Parker Devon Shelby Shannon Logan "
        "Louis Madison Houston Florence Paris Lincoln Washington"
    )
)
_GROUPS: tuple[tuple[str, ...], ...] = tuple(
    tuple(name for name in group if name.endswith("s") is ending)
    for group in (_HERS, _HIS, _ANYONE)
    for ending in (False, True)
)
GROUP: Mapping[str, int] = {name: index for index, group in enumerate(_GROUPS) for name in group}
"""The group of every name; within a group names may stand for each other."""

_CAPITALISED = re.compile(r"(?<![\w'’-])[A-Z][a-z]+(?![\w-])")
_BEFORE = re.compile(r"(?:\b((?:Mr|Mrs|Ms|Dr|St|Prof|Capt|Sgt|Rev|Sr|Jr|[A-Z])\.)|(?<![\w'’-])([A-Z][a-z]*)) $")
_OPENING = frozenset(
    words(
        "A After All Although An And As Assuming At Because Before Besides Both But By Can Did Do Does During Each "
        "Even Every For From Given Had Has Have Having Her His How However If In Initially Is It Its Last Later "
        "Let Like Meanwhile My Now Of On Once One Our She So Suppose Than That The Their Then There They This "
        "Though Three Today Together Two Unlike Unless Until What When Where Which While Who Whose Why With "
        "Yesterday You Your He We To Also Since Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
    )
)


def rename(question: Question, generator: np.random.Generator) -> Question | Declined:
    """The question about other people.

    Args:
        question: an arithmetic problem with `equation` or `worked`.
        generator: the source of chance.

    Returns:
        The question with id, source, group, family and numbers kept, or why it was left alone.
    """
    exchange = exchange_of(question, generator)
    return exchange if isinstance(exchange, Declined) else exchanged(question, exchange)


def exchange_of(question: Question, generator: np.random.Generator) -> dict[str, str] | Declined:
    """Which name becomes which: one to one, inside a group, no new name among the words of the question.

    Args:
        question: an arithmetic problem with `equation` or `worked`.
        generator: the source of chance.

    Returns:
        The new name of every listed name of the prompt, or why they are left alone.
    """
    if not question.equation and not question.worked:
        return Declined("without its arithmetic a name may be that of a real person")
    text = "\n".join((question.prompt, question.answer, *question.choices, *question.accepted, question.worked))
    found = [match for match in _CAPITALISED.finditer(text) if match[0] in GROUP]
    names = tuple(dict.fromkeys(match[0] for match in _CAPITALISED.finditer(question.prompt) if match[0] in GROUP))
    if not names:
        doubtful = _WORDS_TOO & {match[0] for match in _CAPITALISED.finditer(question.prompt)}
        return Declined("its only names are words too" if doubtful else "it names nobody on the list")
    fault = _fault(text, [match for match in found if match[0] in names])
    if fault:
        return Declined(fault)
    taken = {word.lower() for word in re.findall(r"\w+", text)}
    exchange: dict[str, str] = {}
    for name in names:
        group = [other for other in _GROUPS[GROUP[name]] if other.lower() not in taken]
        if not group:
            return Declined("no name of the group is left")
        exchange[name] = pick(group, generator)
        taken.add(exchange[name].lower())
    return exchange


def exchanged(question: Question, exchange: Mapping[str, str]) -> Question:
    """The question with names exchanged everywhere in it.

    Args:
        question: any question.
        exchange: which name becomes which; the inverse mapping restores the question byte for byte.
    """
    return replace(
        question,
        prompt=swapped(question.prompt, exchange),
        answer=swapped(question.answer, exchange),
        choices=tuple(swapped(text, exchange) for text in question.choices),
        accepted=tuple(swapped(text, exchange) for text in question.accepted),
        worked=swapped(question.worked, exchange),
    )


def swapped(text: str, exchange: Mapping[str, str]) -> str:
    """The text with whole names exchanged."""
    return _CAPITALISED.sub(lambda match: exchange.get(match[0], match[0]), text)


def _fault(text: str, found: list[re.Match[str]]) -> str:
    """Why the names of a text cannot be exchanged; empty when they can."""
    names = {match[0] for match in found}
    for name in names:
        if re.search(rf"(?<!\w)(?:{name.lower()}|{name.upper()})(?!\w)", text) or re.search(rf"(?<!\w){name}\w", text):
            return "a name is written as a word or inside one"
        if re.search(rf"(?:[\w'’-]){name}(?!\w)|(?<!\w){name}-", text):
            return "a name is part of a compound"
    for match in found:
        after = re.match(r" ([A-Z][a-z]*)", text[match.end() :])
        before = _BEFORE.search(text[: match.start()])
        if (after and after[1] != "I") or (before and (before[1] or before[2] not in _OPENING)):
            return "a name is part of a longer name"
    return ""
