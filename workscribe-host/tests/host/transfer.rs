//! `demo`, `export` and `import`.

use crate::program::Setup;

#[tokio::test]
async fn the_demo_can_be_logged_into_and_taken_elsewhere() {
    let setup = Setup::new().env("WORKSCRIBE_DEMO_PASSWORD", "correct horse battery staple");
    let demo = setup.run(&["demo"]).await;
    assert_eq!(demo.code, Some(0), "{demo:?}");
    assert!(demo.stdout.contains("400 tasks"), "{demo:?}");
    assert!(demo.stdout.contains("Log in as ada@example.com"), "{demo:?}");
    let again = setup.run(&["demo"]).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("Choose another slug"), "{again:?}");

    let server = setup.serve().await;
    assert_eq!(server.client.log_in("ada@example.com").await.status, 200);
    server.process.stop().await;

    let file = setup.path().join("demo.jsonl");
    let file = file.to_str().unwrap();
    let exported = setup.run(&["export", "demo", file]).await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let to_stdout = setup.run(&["export", "demo"]).await;
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        to_stdout.stdout.lines().skip(1).collect::<Vec<_>>(),
        text.lines().skip(1).collect::<Vec<_>>()
    );
    assert_eq!(setup.run(&["export", "nowhere"]).await.code, Some(1));

    let elsewhere = Setup::new();
    let imported = elsewhere.run(&["import", file]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let refused = elsewhere.run(&["import", file, "--slug", "another"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("Import with new ids"), "{refused:?}");
    let twice = elsewhere.run(&["import", file, "--ids", "remap", "--slug", "another"]).await;
    assert_eq!(twice.code, Some(0), "{twice:?}");
}

#[tokio::test]
async fn the_demo_is_as_large_as_it_is_asked_to_be() {
    let setup = Setup::new();
    let demo = setup.run(&["demo", "--tasks", "1000", "--slug", "large"]).await;
    assert_eq!(demo.code, Some(0), "{demo:?}");
    assert!(demo.stdout.contains(" 1000 tasks"), "{demo:?}");
    let refused = setup.run(&["demo", "--tasks", "many"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[tokio::test]
async fn issues_come_in_and_a_broken_file_is_refused_with_its_lines() {
    let setup = Setup::new();
    let file = setup.path().join("jira.csv");
    std::fs::write(&file, "Summary,Issue key,Priority\nWeave,WEB-1,Odd\n\"Two\nlines\",WEB-2,High\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let without = setup.run(&["import", "--from", "jira", file]).await;
    assert_eq!(without.code, Some(2), "it needs an owner: {without:?}");
    let options = ["import", "--from", "jira", "--slug", "looms", "--owner", "ada@example.com", file];
    let imported = setup.run(&options).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(
        imported.stdout.contains("2 tasks") && imported.stdout.contains("“Odd” is not known"),
        "{imported:?}"
    );
    let as_github = ["import", "--from", "github", "--slug", "other", "--owner", "ada@example.com", file];
    let refused = setup.run(&as_github).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("this is no JSON"), "{refused:?}");
    let refused = setup.run(&["import", file]).await;
    assert!(refused.stderr.contains("Line 1: this is no record"), "{refused:?}");
}
