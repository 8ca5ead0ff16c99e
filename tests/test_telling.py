from transtar.telling import shown_on_stderr, tell


def test_one_message_of_a_kind_is_shown_and_the_others_are_counted(capsys):
    with shown_on_stderr():
        for i in range(3):
            tell(f"a{i}.csv: no line feed ends row {i}")
        tell("generic: something else")
        tell("generic: something else")
    assert capsys.readouterr().err.splitlines() == [
        "a0.csv: no line feed ends row 0",
        "generic: something else",
        "(2 more like it: no line feed ends row 0)",
    ]


def test_what_was_told_before_is_told_again(capsys):
    for _ in range(2):
        with shown_on_stderr():
            tell("again")
    assert capsys.readouterr().err == "again\nagain\n"
