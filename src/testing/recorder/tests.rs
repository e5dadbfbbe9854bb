use super::Recorder;

#[test]
fn what_was_taken_of_a_client_that_nobody_holds_is_all_that_there_was_of_it() {
    let recorder: Recorder<u8, ()> = Recorder::new();
    let stays = recorder.client();
    for _ in 0..10 {
        stays.another().call(0, || ());
    }
    let kept = || recorder.shared.clients.lock().calls.len();
    assert_eq!((recorder.history().len(), kept()), (10, 11));
    assert_eq!((recorder.take().len(), kept()), (10, 1), "one is held");
    let open = stays.begin(0);
    drop(recorder.take());
    open.end(());
    drop(stays);
    assert_eq!((recorder.take().len(), kept()), (0, 0));
}
