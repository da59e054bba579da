use std::sync::{Arc, Mutex};

use super::*;
use crate::events::{Event, ItemState};

#[test]
fn versions_old_and_new() {
    assert_eq!(version("ansible-playbook [core 2.19.14]"), Some(((2, 19), "2.19.14".into())));
    assert_eq!(version("ansible-playbook [core 2.14.18rc1]").map(|(number, _)| number), Some((2, 14)));
    assert_eq!(version("ansible-playbook 2.9.27").map(|(number, _)| number), Some((2, 9)));
    assert_eq!(version("ERROR: locale"), None);
}

#[test]
fn the_words_for_ssh_survive_the_shell() {
    let args = ssh_args(Path::new("/my clusters/it's/ssh/config"), &["ControlPath=\"/t/a b/%C\"".into()]);
    assert_eq!(args, r#"-F '/my clusters/it'\''s/ssh/config' -o BatchMode=yes -o 'ControlPath="/t/a b/%C"'"#);
}

#[test]
fn an_error_tells_failures_first_and_ansibles_own_words_else() {
    let sink = EventSink::silent();
    let mut story = Story { secrets: vec!["tiger".into()], ..Story::default() };
    let failed = r#"{"event":"result","task":"Install","node":"n12","state":"failed","message":"non-zero return code","rc":1,"stderr":["a","b"]}"#;
    story.read(failed, &sink);
    story.read("[ERROR]: unknown word tiger", &sink);
    let (diagnostics, tail) = story.end();
    assert_eq!(diagnostics, ["n12: Install: exit status 1: b"]);
    assert_eq!(tail, ["a", "b", "[ERROR]: unknown word ********"]);

    let mut story = Story::default();
    story.read("[ERROR]: the inventory is missing", &sink);
    assert_eq!(story.end().0, ["the inventory is missing"]);
}

/// A deployment directory with this repository's settings and plugin, whose nodes are this machine.
/// None where Ansible is not installed; the parser's tests run everywhere.
async fn directory(playbook: &str) -> Option<(Ansible, tempfile::TempDir)> {
    let Ok(ansible) = Ansible::find(&Fetched::nowhere()).await else {
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("ansible"), dir.path().join("ansible"));
    std::fs::create_dir_all(theirs.join("callback_plugins")).unwrap();
    for file in ["ansible.cfg", "callback_plugins/events.py"] {
        std::fs::copy(ours.join(file), theirs.join(file)).unwrap();
    }
    let hosts = r#"{"all": {"hosts": {"n11": {}, "n12": {}}, "vars": {"ansible_connection": "local"}}}"#;
    std::fs::write(theirs.join("inventory.json"), hosts).unwrap();
    std::fs::write(theirs.join("play.yml"), playbook).unwrap();
    Some((ansible, dir))
}

fn run_in(dir: &Path) -> PlaybookRun {
    PlaybookRun { nodes: 2, ..PlaybookRun::new(dir, "play.yml", dir.join("ansible.jsonl")) }
}

#[tokio::test]
async fn a_real_run_emits_events_and_hides_secrets() {
    let playbook = r#"
- hosts: all
  tasks:
    - name: Speak
      ansible.builtin.command: echo spoken
    - name: Fail on one
      ansible.builtin.shell: "echo the word is tiger >&2; exit 3"
      when: inventory_hostname == 'n12'
"#;
    let Some((ansible, dir)) = directory(playbook).await else { return };
    let events = Arc::new(Mutex::new(Vec::new()));
    let copy = events.clone();
    let sink = EventSink::silent().logged(move |stamped| copy.lock().unwrap().push(stamped.event.clone()));

    let run = PlaybookRun { secrets: vec!["tiger".into()], ..run_in(dir.path()) };
    let Err(Error::Tool(failure)) = ansible.run_playbook(run, &sink, &Interrupt::never()).await else { panic!() };
    assert_eq!(failure.diagnostics, ["n12: Fail on one: exit status 3: the word is ********"]);
    assert_eq!(failure.tail, ["the word is ********"]);
    assert!(!std::fs::read_to_string(dir.path().join("ansible.jsonl")).unwrap().contains("tiger"));
    let count = |wanted: ItemState| {
        let events = events.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Task { state, .. } if *state == wanted)).count()
    };
    assert_eq!((count(ItemState::Started), count(ItemState::Changed)), (4, 2));
    assert_eq!((count(ItemState::Skipped), count(ItemState::Failed)), (1, 1));
    assert!(!dir.path().join("ansible/callback_plugins/__pycache__").exists());
}

#[tokio::test]
async fn a_started_run_plays_nothing_before_it_may() {
    let playbook = "
- hosts: n11
  tasks:
    - name: Touch
      ansible.builtin.command: touch {{ playbook_dir }}/played
";
    let Some((ansible, dir)) = directory(playbook).await else { return };
    let (played, sink) = (dir.path().join("ansible/played"), EventSink::silent());
    let started = ansible.start(run_in(dir.path())).unwrap();
    // Python has started by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!played.exists());
    started.begin(&sink, &Interrupt::never()).await.unwrap();
    assert!(played.exists());

    std::fs::remove_file(&played).unwrap();
    drop(ansible.start(run_in(dir.path())).unwrap());
    let (interrupt, keys) = Interrupt::manual();
    keys.press(2);
    let ended = ansible.start(run_in(dir.path())).unwrap().begin(&sink, &interrupt).await;
    assert!(matches!(ended, Err(Error::Interrupted { signal: 2 })), "{ended:?}");
    assert!(!played.exists(), "neither one that was given up nor one that may not begin plays");
}

#[tokio::test]
async fn a_press_ends_a_real_run_and_what_it_started() {
    let playbook = "
- hosts: n11
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep 300
";
    let Some((ansible, dir)) = directory(playbook).await else { return };
    let (interrupt, keys) = Interrupt::manual();
    let sink = EventSink::silent().logged(move |stamped| {
        if matches!(&stamped.event, Event::Task { state: ItemState::Started, .. }) {
            keys.press(2);
        }
    });
    let result = ansible.run_playbook(run_in(dir.path()), &sink, &interrupt).await;
    assert!(matches!(result, Err(Error::Interrupted { signal: 2 })), "{result:?}");
}

#[tokio::test]
async fn a_wrong_playbook_fails_with_ansibles_own_words() {
    let Some((ansible, dir)) = directory("- hosts: all\n  tasks:\n    - nosuchmodule: {}\n").await else { return };
    let result = ansible.run_playbook(run_in(dir.path()), &EventSink::silent(), &Interrupt::never()).await;
    let Err(Error::Tool(failure)) = result else { panic!() };
    assert!(failure.diagnostics[0].starts_with("couldn't resolve module/action 'nosuchmodule'"), "{failure:?}");
}
