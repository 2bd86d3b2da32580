"""Passages with their sentence boundaries marked by hand, for the tests and the benchmark.

All sentences are made up for this purpose. In a passage the sign "¦" marks a boundary: before a
newline it stands for nothing, anywhere else for one space. `passage_text` and
`passage_sentences` give the text without marks and the sentences.
"""

# ruff: noqa: RUF001 - the passages hold quotation marks and dashes of all kinds.

from __future__ import annotations

GOLD: dict[str, tuple[str, ...]] = {
    "abbreviations": (
        "The U.S. Senate passed the bill on Monday.¦A vote in the House is due in May.",
        "He flew back to the U.S.¦The talks went on without him.",
        "The U.S. and the U.K. signed the note.¦China did not.",
        "A spokesman for the U.N. said so.¦The U.N. Security Council meets today.",
        "The firm is based in Washington, D.C.¦It has offices in Ottawa.",
        "Washington, D.C. police closed two streets.",
        "Acme Inc. said on Friday it would pay.¦Borealis Corp. did not answer.",
        "The claim was filed against Northern Steel Co. Ltd. of Leeds.",
        "He left Acme Inc.¦She stayed.",
        "The case, Harbour Ltd. v. Minister of State, was closed.",
        "Sanctions hit banks, insurers, shippers, etc.¦The list has 40 names.",
        "Some goods, e.g. Grain and fuel, are exempt.",
        "The second point, i.e. Verification, is open.",
        "The train, approx. 2 km long, blocked the line.",
        "They met at St. Petersburg.¦St. Paul was next.",
        "The climb of Mt. Elbrus took a day.",
        "Ft. Meade houses the agency.¦It opened in 1917.",
        "The U.S.-led force left.¦The U.S.'s plan failed.",
        "The U.S.S.R. broke up in 1991.¦Fifteen states followed.",
        "The E.U. Council agreed.¦Hungary abstained.",
        "She holds a Ph.D. from Leiden.¦He has an M.A. in law.",
        "It was built by Brown Bros. in 1902.",
        "The ship left Prince Rupert, B.C. on Tuesday.",
        "A court in Fairfax, Va. heard the case.¦It will rule in June.",
    ),
    "titles": (
        "Mr. Hale met Mrs. Novak and Dr. Osei.¦Ms. Lind was absent.",
        "Gen. Marsh and Lt. Col. Adams spoke.¦Maj. Gen. Brown listened.",
        "Sen. Ortiz (D-Calif.) objected.¦Rep. Lee, R-Tex., agreed.",
        "Gov. Hill, Prof. Dahl and Rev. Stone signed it.",
        "Adm. Clark commands the fleet.¦Capt. Ruiz commands the ship.",
        "Sgt. Davis, Cpl. Wood and Pvt. Kerr were freed.",
        "William Reed Jr. was elected.¦His father, William Reed Sr., had held the seat.",
        "The prize went to William Reed Jr.¦It is worth 5,000 dollars.",
        "Foreign Minister Ms. Abara flew home.¦The Hon. Mr. Justice Cole sat.",
        "Amb. Keita told Asst. Sec. Boyd that the visas were ready.",
    ),
    "initials": (
        "J. B. Smith was named envoy.¦He starts in March.",
        "J.B. Smith and Q. R. Doe left.¦No one else did.",
        "The letter is signed John F. Larsen.¦It is two pages long.",
        "A. N. Petrov, the deputy minister, flew to Geneva.",
        "They chose Plan B.¦It had been ready for weeks.",
        "The grant went to Agnes B.¦Her full name is secret.",
    ),
    "dates and times": (
        "Talks resume on Sept. 11 in Vienna.¦Experts met on Dec. 3.",
        "It began in Nov. 2004 and ended in Feb. 2006.",
        "The raid came at 5 a.m. on Sunday.¦Three men were held.",
        "The vote ended at 5 p.m.¦Turnout was low.",
        "The office opens at 9 a.m. Monday and closes at noon.",
        "Polls close at 8 p.m. Eastern time.¦Results will follow.",
        "The treaty will lapse in May.¦A new one is being drafted.",
        "He resigned in March.¦She followed in April.",
        "The hearing is set for Jan. 5.¦Both sides will attend.",
        "The last test was in Oct.¦No date was given for the next one.",
        "The rule took effect in 2014.¦In 2020 it was dropped.",
        "It was founded in 44 B.C. by settlers.",
    ),
    "numbers": (
        "Prices rose 2.3 percent.¦Wages rose 1.9 percent.",
        "It cost $3.5 million.¦Nobody paid.",
        "Reactor No. 5 was shut.¦No. 6 is still running.",
        "Resolution No. 2231 lapsed.¦So did the annex.",
        "Under Art. 5, para. 2, the state may withdraw.",
        "See Vol. 3, pp. 12-14, of the report.",
        "The tremor had a magnitude of 6.3.¦A second one was weaker.",
        "Version 2.0.1 closes the hole.¦Users should update.",
        "The list names 14.¦The old one named 12.",
        "Of the 40 sites, 12 are closed.¦28 are open.",
        "The address 10.0.0.1 was blocked.¦The site example.com was not.",
    ),
    "quotes": (
        '"We will see," he said.¦"It is over."¦He left.',
        '"We will see." he said.',
        'He said: "It is bad.¦We must go."¦Then he left.',
        '"We have no plan.¦We never had one," she said.¦"Ask them."',
        '"Is it over?" he asked.¦"Yes!" she said.',
        '"Is it over?" Mr. Hale asked.¦Nobody knew.',
        '"Is it over?"¦He said nothing.',
        '"It is over."¦Mr. Hale said nothing more.',
        "“We have no plan.¦We never had one,” she said.¦“Ask them.”",
        "‘We have no plan.¦We never had one,’ she said.¦‘Ask them.’",
        "'We have no plan.¦We never had one,' she said.",
        'The paper called it "a farce."¦Others agreed.',
        'The paper called it "a farce".¦Others agreed.',
        "The paper called it “a farce.”¦Others agreed.",
        "He told them, \"I said 'no.'\"¦They left.",
        "He told them, “I said ‘no.’”¦They left.",
        '"I do not know.¦It came from the U.S.¦It was late," he said.',
        '"They will pay."¦The crowd cheered.¦"All of them."',
        'The so-called "bad bank" was closed.¦Its chief was held.',
        'Asked why, he said "no comment."¦She said the same.',
        '"We begin today.¦There is no other way.',
        "The ministers' meeting ended.¦The '90s deal stands.",
        'A 5" gun was fitted.¦It is new.',
        "«We have no plan.¦We never had one», she said.",
        'From the statement: "The sea was discussed.¦Moscow is ready.¦Helsinki will help."',
    ),
    "ellipses": (
        "It grew...¦Then it fell.",
        "It grew… and then it fell.",
        "It grew…¦Then it fell.",
        "It grew ... and then it fell.",
        '"... so we left," she said.¦No one stayed.',
        '"Wait..." he said.¦They did not.',
        "The list is long: oil, gas, coal...¦It will grow.",
        "The text reads: the parties . . . shall meet.¦It says no more.",
    ),
    "other marks": (
        "What now?!¦Nobody answered.",
        "Stop!¦The gate is shut.",
        "Yahoo! Inc. was hacked.¦It took two years to say so.",
        "The plan (see U.S. note) failed.¦It was late.",
        "The plan failed (see below).¦It was late.",
        "(The agency did not reply.)¦The minister did.",
        "He left early.¦(She stayed.)¦The vote was close.",
        "Two men died (one in hospital. It was unclear when) and six were hurt.",
        "The figure is disputed.[3]¦Some doubt it.",
        "eBay closed the hole.¦iPhone users were safe.",
        "The site is www.example.org.¦It was down.",
        "Write to press.office@example.gov.¦A reply takes a day.",
        "The ban — the first of its kind — holds.¦It has critics; few speak.",
        "Who pays: the U.S.?¦No one knows.",
        "The treaty was adopted.¦[Applause.]¦Five states abstained.",
        "Mail.Ru Group and Yandex.Taxi were hit.¦ASP.NET was not.",
        "The answer was no.¦London was silent.",
        "The crew fell ill.¦A doctor came.",
        "The talks ended.¦Ökonomen were pleased.¦Élysée officials were not.",
    ),
    "datelines": (
        "WASHINGTON (Reuters) - The U.S. lifted the ban on Monday.¦It had stood for a year.",
        "MOSCOW, September 9.¦A third round of talks was held here.",
        "MOSCOW, Sept. 9 - A third round of talks was held here.",
        "BOSTON, Mass. - A man was charged on Friday.¦He denies it.",
        "CARSON CITY, Nev., Sept. 8 - Nevada held a vote.",
        "LOS ANGELES, Calif. (AP) -- It rained.¦Roads were closed.",
        "ST. PAUL, Minn. — The court sat.¦It will rule soon.",
        "GENEVA (own corr.) Under the dome nothing moved.¦The session goes on.",
        "KIROVSK, Jan. 17 (corr.) The plant was shut.¦It is old.",
        "VIENNA/WASHINGTON, Jan. 17 — Late on Sunday the seals were broken.",
        "ST. LOUIS, Mo. - All schools were closed.¦The network was down.",
        "KYIV, Jan 3 (Agency) – The network was down.¦It is back.",
    ),
    "lines": (
        "Talks end without a deal¦\nThe envoys left on Friday.¦They may return.",
        "Talks end without a deal¦\n\nThe envoys left on Friday.",
        "By A. N. Author¦\nParis¦\n\nThe envoys left on Friday.",
        "The list:¦\n- visas for students¦\n- visas for drivers¦\n- fees",
        "The list:¦\n• visas for students;¦\n• visas for drivers;¦\n• fees.",
        "Main points:¦\n1. Visas will be issued again.¦\n2. Fees will fall.",
        "Main points:¦\n(a) visas will be issued again;¦\n(b) fees will fall.",
        "(a) Visas will be issued again.¦No fee is due.¦\n(iv) Waits will fall.",
        "5. Allies regret the decision.¦They ask for talks.",
        "briefing, main points¦\n— visas are back¦\n— fees will fall",
        "the embassy is open¦\nvisas are issued again¦\nno fee is charged",
        "The first line ends here.¦\r\nThe second ends here.",
        "One paragraph ends here.¦\n\n\n\nThe next one starts.",
        "A line with a separator¦\u2028and another line",
        "the talks ended.¦no date was set.¦\nthe envoys left.",
        "We wish you a good journey! ✈️¦\n🎻 The concert is at 7.",
        "• Fees fall.¦Waits rise.¦\n■ Students go first.¦Drivers wait.",
        "Ministry of Foreign Affairs¦\nOn the visa rules:¦\nThe rules stay.¦#visas #mfa",
    ),
    "wrapped": (
        "The two sides met in the old town hall on Tuesday and agreed to keep\n"
        "talking about the release of the crew.¦They set no date.¦The next round\n"
        "may be held in Oslo, Mr. Hale said.",
        "The agency said that the leak had been found by a student in Porto.¦It\n"
        "had been open for a year.¦Nobody could say who had used it, and the\n"
        "Ministry of Digital Affairs did not answer questions about the U.S.\n"
        "firm that built the system.¦\n\nA report is due in May.",
    ),
}

# Written after the corrections in stance/sentences.py and not used for them.
FRESH: dict[str, tuple[str, ...]] = {
    "agency": (
        "OSLO, Nov. 2 (Agency) - Norway will reopen its consulate in Murmansk, Foreign Minister"
        " I. Dahl said.¦It was shut in 2022.¦No date was named.",
        "NEW DELHI: India and Brazil waived visas for pilots on Thursday.¦Crews may stay 30 days.",
        "TOKYO -- The yen fell to 151.2 per dollar.¦The Bank of Japan, the finance ministry said,"
        ' "stands ready."¦Traders did not believe it.',
        "PARIS (Own report) — Six men were held.¦Police found $2.4 mln. in cash.",
        "U.S. officials met Lt. Gen. Ivanov at 3:30 p.m. in Vienna, a U.S. diplomat said.¦The"
        " meeting lasted two hours.",
        "MOSCOW, March 3. /Agency/.¦The deputy minister received the ambassador of Peru.",
    ),
    "newspaper": (
        '"Who let them in?" the mayor of St. Albans asked.¦Nobody at City Hall knew.',
        '"Nobody warned us.¦Nobody," said Mrs. Ito, 81.¦"I lost the shop, the van... everything."',
        "Dr. Amir Khan, who runs the clinic on W. 12th St., was not at home.",
        "The attack, the third since Aug. 20, hit 3,500 P.C.s at the port.¦None held passengers'"
        " data.",
        "Is the deal dead?¦Not yet, says Prof. R. J. Holm of the Inst. of World Economy.",
        "He was born on Jan. 4, 1951, in Gary, Ind., to a welder.¦In 1974 he joined the C.I.A.",
        "Smith v. Jones was settled.¦Brown v. The State was not.",
        "“It works,” he said of the filter.¦“For now.”",
        "“It works!” Ms. Sato told reporters.¦“For now.”",
        "It costs 5 p.¦The old one cost £1.20.",
        "The magazine Wired vs. the magazine Time: who was first?",
        'He quoted the old line ("Trust, but verify.") and sat down.',
        "They came, they saw, they left . . . and nobody missed them.",
        'She told him: "Go!"¦He went.',
        "The minister (he took office on Feb. 1) declined to comment.¦His deputy, Mr. Oh, agreed.",
    ),
    "ministry": (
        "1. The Parties note the report.¦\n2. The Parties will meet again in Sept. 2031.",
        "Para. 3 of Art. 12 does not apply.¦See also No. 7.",
        "Question: Will the talks go on?¦\nAnswer: Yes.¦They will.",
        "H.E. Mr. Tomas Vela, Ambassador of Spain, presented his letters.",
        "The sides reaffirmed UNSCR 1540.¦They called on all States to join the C.T.B.T.",
        "(Unofficial translation)¦\nThe Ministry rejects the charge.¦It is baseless.",
        "FOR IMMEDIATE RELEASE¦\nNo. 45¦\nVisa fees to fall¦\n\nFees fall 20 per cent. on May 1.",
    ),
    "technology": (
        "Version 4.2 of the tool is out.¦Ver. 4.1 is unsafe.",
        "The flaw, CVE-2031-1234, scores 9.8.¦A patch for v. 3 is due on Feb. 4.",
        "Users of Node.js and ASP.NET are safe.¦Users of the .com zone are not.",
        "Hackers took 4.1 TB of data from Acme Corp.¦Inc. magazine was hit, too.",
        "The file setup.exe calls http://a.example.net/x.php?id=5.¦It then deletes itself.",
        'What is "phishing"?¦It is theft by e-mail.',
    ),
    "feed": (
        "BREAKING: Embassy hit by drone...¦\nNo one hurt",
        "⚡️ Talks are over.¦No deal.¦\n\n🔹 The next round: May 5.¦\n🔹 Place: Geneva.",
        "Visa rules change from Monday 👇¦\n▪️ Fees rise.¦Waits fall.¦\n▪️ Students go first",
        "READ MORE: Why the talks failed¦\nThe envoys left early.¦They were tired.",
    ),
}


def passage_sentences(passage: str) -> list[str]:
    """The sentences of a marked passage."""
    return [sentence.strip() for sentence in passage.split("¦")]


def passage_text(passage: str) -> str:
    """A marked passage as the plain text it stands for."""
    first, *rest = passage.split("¦")
    return first + "".join(s if s[:1].isspace() else " " + s for s in rest)
