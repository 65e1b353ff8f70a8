Feature: Iwashiro 2002, Uji 1999, Shari 2006: copies that leave the office (J11)
  Iwashiro, 2002: backup tapes with residents' data were stolen. Uji, 1999: the employee of a
  subcontractor's subcontractor copied the register. Shari, 2006: data left a private computer through
  a file-sharing virus (S3 table 3, nos. 33, 34, 2).

  The invariant it forces: backups are sealed and open only with several custodians; what lies on a
  disk is worth nothing without the token.

  Scenario: Iwashiro 2002: a stolen backup names nobody and one custodian does not open it
    Given "岩代 稔" is a resident of 国立市
    When a backup of municipality-132152 is made and stolen
    Then the stolen files name nobody
    When 1 of the custodians of municipality-132152 open it
    Then it fails
    When 2 of the custodians of municipality-132152 open it
    Then it succeeds

  Scenario: Uji 1999: a copy of the whole register is worth nothing without its token
    Given "宇治 遼" is a resident of 三鷹市
    When the disk of center is stolen
    Then the stolen files name nobody
    When the thief opens it with the token of prefecture-13
    Then it fails

  Scenario: No file of the country names anybody
    Given "斜里 歩" is a resident of 松本市
    And "斜里 舞" is born in 松本市
    When the clerk of 日本年金機構 asks about "斜里 歩" by name and date of birth for affair 1-74-1, case "斜里-1"
    Then the answer is exactly "斜里 歩"
    And no file of the country names anybody of this scenario

  @not-yet:export
  Scenario: Shari 2006: a file that left leads back to who made it
    Then there is a command "export"
