//! A backup made while serving, what a restore of it brings back, and what it does not: whoever was erased since.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

use crate::http::{ANNA, BEN, CAM, Shop};
use crate::service::eventually;

const DEE: (&str, usize) = ("+16045550111", 1);

impl Shop {
    fn data(&self, name: &str) -> PathBuf {
        self.service.folder().join("data").join(name)
    }

    /// Takes the store away, as a lost disk would. The keys and the list of erasures are elsewhere.
    fn lose_the_store(&mut self) {
        self.service.stop();
        std::fs::remove_dir_all(self.service.folder().join("data")).unwrap();
    }

    fn with_key(&self, arguments: &[&str], key: &str) -> Output {
        let mut command: Command = self.service.command(arguments);
        command.env("BAUTA_CREDENTIAL", key).output().unwrap()
    }

    async fn gone(&self, token: &str, key: &str) {
        assert_eq!(self.get(&format!("/v1/tokens/{token}"), key).await.expect(404).code(), "not_found");
    }
}

#[actix_web::test]
async fn a_restored_backup_brings_back_what_was_kept_and_nobody_who_was_erased_since() {
    let mut shop = Shop::open().await;
    let (anna, ben, cam) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let sealed = json!({"number": BEN.0, "kind": "sealed"});
    let sealed = shop.post("/v1/tokens", &shop.business, sealed).await.expect(201).text_at("/token");
    let bind = json!({"mode": "axb", "a": anna, "b": ben});
    let alias = shop.post("/v1/aliases", &shop.business, bind).await.expect(201);
    let other = shop.service.tenant("Elsewhere", "test");
    let key = shop.service.credential(&other, "business", "somebody", &[]);
    let admin = shop.service.credential(&other, "admin", "their admin", &[]);
    let dee = shop.post("/v1/tokens", &key, json!({"number": DEE.0})).await.expect(201).text_at("/token");

    let backup = shop.service.folder().join("backup.db");
    let name = backup.to_str().unwrap().to_owned();
    let said = shop.service.cli(&["store", "backup", &name]);
    assert!(said.status.success(), "{said:?}");
    assert!(!shop.service.cli(&["store", "backup", &name]).status.success(), "no copy is written over");

    shop.call("DELETE", &format!("/v1/tokens/{anna}"), &shop.business, None).await.expect(204);
    shop.call("DELETE", &format!("/v1/tokens/{sealed}"), &shop.business, None).await.expect(204);
    shop.post("/v1/subjects/erase", &shop.business, json!({"token": cam})).await.expect(200);
    let again = shop.token(CAM.0).await;
    let refused = shop.service.cli(&["tenant", "erase", &other]);
    assert!(!refused.status.success(), "a terminal erases no tenant that has an admin");
    let erased = shop.with_key(&["tenant", "erase", &other], &admin);
    assert!(erased.status.success(), "{erased:?}");
    eventually("the end of the tenant's credentials", 5, async || {
        (shop.get("/v1/tenant", &key).await.status == 401).then_some(())
    })
    .await;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(shop.data("bauta.db"), flags).unwrap();
    eventually("nothing but the row of an erased tenant", 30, async || {
        let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let cleared = count("SELECT count(*) FROM tenant WHERE cleared = 1") == 1;
        let left = "SELECT count(*) FROM token WHERE tenant IN (SELECT id FROM tenant WHERE erased_at IS NOT NULL)";
        (cleared && count(left) == 0).then_some(())
    })
    .await;
    drop(conn);
    let list = std::fs::read(shop.service.folder().join("kms/erasures.log")).unwrap();
    shop.note(&String::from_utf8(list).unwrap());

    // The backup as it is, with the list of erasures out of reach: the erased tenant is there again, and noise.
    shop.lose_the_store();
    std::fs::create_dir(shop.service.folder().join("data")).unwrap();
    std::fs::copy(&backup, shop.data("bauta.db")).unwrap();
    shop.service.restart().await;
    let noise = shop.get(&format!("/v1/tokens/{dee}"), &key).await;
    assert_eq!((noise.status, noise.code()), (503, "unavailable".to_owned()), "{}", noise.text);

    shop.lose_the_store();
    let restored = shop.service.cli(&["store", "restore", &name]);
    assert!(restored.status.success(), "{restored:?}");
    assert!(!shop.service.cli(&["store", "restore", &name]).status.success(), "only into an empty place");
    shop.service.restart().await;
    shop.gone(&anna, &shop.business).await;
    shop.gone(&cam, &shop.business).await;
    shop.gone(&sealed, &shop.business).await;
    assert_eq!(shop.get("/v1/tenant", &key).await.status, 401);
    shop.get(&format!("/v1/tokens/{ben}"), &shop.business).await.expect(200);
    let path = format!("/v1/aliases/{}", alias.text_at("/id"));
    assert_eq!(shop.get(&path, &shop.business).await.expect(200).text_at("/status"), "released");
    shop.gone(&again, &shop.business).await;
    let newest = shop.token(CAM.0).await;
    assert!(newest != again && newest != cam, "no id is given twice, also not one that the backup does not know");
    let log = shop.get("/v1/audit/entries?action=token.erased", &shop.auditor).await.expect(200);
    assert_eq!(log.json()["data"].as_array().unwrap().len(), 2);
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM, DEE]);
}
