from tests.stories.test_scanner import *
from tests.stories import test_scanner as t
for _n in ("test_a_card_scanned_into_a_field_calls_the_person_and_leaves_the_field_as_it_was","test_letters_do_nothing_by_themselves"): globals().pop(_n,None)
@pytest.mark.parametrize("n", range(8))
def test_x(counter, n):
    page, database, clinic, card = counter
    log=[]
    page.on("request", lambda r: log.append((r.method, r.url[-60:], r.post_data)) )
    page.on("response", lambda r: log.append((r.status, r.url[-60:])) )
    page.on("console", lambda m: log.append(m.text))
    page.fill("#find-text", "00"); page.focus("#find-text")
    page.evaluate(SCAN, card)
    try:
        page.wait_for_selector(f'#person[data-person="{clinic.patient}"]')
    except Exception:
        print("CARD", card, "FIELD", page.input_value("#find-text"), "DB", patient_at(database, clinic.counter), clinic.patient)
        print(log)
        print(page.locator("#person").evaluate("e=>e.outerHTML")[:600])
        print(page.locator("#toasts").evaluate("e=>e.outerHTML")[:600])
        raise
